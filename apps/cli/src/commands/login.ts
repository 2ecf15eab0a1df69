import type { Command } from 'commander'
import { removeConfig, saveConfig } from '../config'
import { CliError, EXIT, usage } from '../errors'
import { facts } from '../output'
import type { Action } from '../program'

export function loginCommands(program: Command, action: Action): void {
  program
    .command('login')
    .description('sign in with an API key and keep it for the next commands')
    .option('--key <key>', 'API key (slp_…); - reads it from stdin, without it you are asked')
    .action(
      action(async (session, { key }: { key?: string }) => {
        const url = await session.url()
        const apiKey = await readKey(session, key)
        const { createClient } = await import('../client')
        const { organizations, ...me } = await createClient(url, apiKey).me.get.query()
        const wanted = session.organizationOption ?? session.env.organization
        const slugs = organizations.map((o) => o.slug)
        if (wanted && !slugs.includes(wanted))
          throw new CliError(
            EXIT.notFound,
            'NOT_FOUND',
            `You are no member of ${wanted}.`,
            `You are in ${slugs.join(', ') || 'no organization'}.`,
          )
        const organization = wanted ?? (slugs.length === 1 ? (slugs[0] ?? null) : null)
        await saveConfig(session.env.configPath, { url, apiKey, organization })
        session.answer({ url, user: me, organization, organizations }, () => {
          const where = organization ? `, organization ${organization}` : ''
          const choose =
            organization || slugs.length === 0 ? '' : `You are in ${slugs.join(', ')}: add --org to each command, or to slipway login.\n`
          return `Signed in to ${url} as ${me.name} (${me.email})${where}.\n${choose}`
        })
      }),
    )

  program
    .command('logout')
    .description('forget the saved API key (it stays valid; revoke it on the account page)')
    .action(
      action(async (session) => {
        await removeConfig(session.env.configPath)
        session.answer({ signedIn: false }, () => 'Signed out.\n')
      }),
    )

  program
    .command('whoami')
    .description('show who is signed in, and where')
    .action(
      action(async (session) => {
        const { url, client } = await session.connect()
        const me = await client.me.get.query()
        session.answer({ url, ...me }, () =>
          facts(
            [
              ['Server', url],
              ['User', `${me.name} (${me.email})`],
              ['Organizations', me.organizations.map((o) => `${o.slug} (${o.role})`).join(', ')],
            ],
            session.colors,
          ),
        )
      }),
    )
}

async function readKey(
  session: {
    io: { readInput(): Promise<string>; askSecret(question: string): Promise<string | null> }
    env: { apiKey: string | undefined }
  },
  given: string | undefined,
): Promise<string> {
  const key = (
    given === '-' ? await session.io.readInput() : (given ?? session.env.apiKey ?? (await session.io.askSecret('API key: ')) ?? '')
  ).trim()
  if (key === '') throw usage('No API key is given.', 'Make one on the account page, then: slipway login --key - < file.')
  if (!/^slp_[\w-]{8,200}$/.test(key)) throw usage('That is no API key.', 'Keys begin with slp_; copy the whole key.')
  return key
}
