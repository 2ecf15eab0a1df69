// An organization with a project and three apps, as somebody would have it who tried all examples: one that runs, one with
// state, one whose build fails.

/** @param {import('./client.mjs').Client} client @param {{ webUrl: string }} settings @param {(line: string) => void} say */
export async function demo(client, { webUrl }, say) {
  const { organization } = await client.firstAccount({ name: 'Ada Lovelace', email: 'ada@example.com', organizationName: 'Acme' })
  const { slug: project } = await client.mutate('projects.create', { org: organization, name: 'Website' })
  say(`Project ${project} in ${organization}`)
  for (const example of ['hello', 'guestbook']) {
    await client.mutate('apps.createExample', { org: organization, project, example })
    say(`App ${example}`)
  }
  await client.mutate('apps.create', {
    org: organization,
    project,
    source: 'git',
    name: 'broken',
    gitUrl: `${webUrl}/api/examples/broken.git`,
  })
  say('App broken')
}
