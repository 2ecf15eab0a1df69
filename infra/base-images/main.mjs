// `npm run base-images`: makes slipway.local/base/debian:bookworm and slipway.local/base/node, and publishes them to a running
// Slipway. A second run finds them in the cache; `-- --refresh` makes them anew, with the newest packages.
import { completePath } from '../start/checks.mjs'
import { runCommand } from '../start/command.mjs'
import { StartError } from '../start/errors.mjs'
import { call } from '../start/http.mjs'
import { databaseUrlOf } from '../start/parts/postgres.mjs'
import { createProgress } from '../start/progress.mjs'
import { readSettings } from '../start/settings.mjs'
import { ensurePackages } from '../start/system-packages.mjs'
import { ensureBusybox } from './busybox.mjs'
import { debianInputs, makeDebian } from './debian.mjs'
import { makeNode, NODE_VERSION, nodeInputs } from './node.mjs'
import { isPublished, publish } from './publish.mjs'

const PACKAGES = [
  { needs: 'mmdebstrap', package: 'mmdebstrap' },
  { needs: 'tar', package: 'tar' },
]

const progress = createProgress()
await runCommand(() => main({ refresh: process.argv.includes('--refresh') }))

async function main({ refresh }) {
  completePath(process.env)
  const settings = readSettings(process.env)
  await call({ port: settings.ports.registry, path: '/v2/' }).catch((cause) => {
    throw new StartError(`No registry answers on port ${settings.ports.registry}.`, {
      hint: 'Start Slipway in another terminal (npm start) with the same SLIPWAY_… settings, then run this again.',
      cause,
    })
  })
  const databaseUrl = settings.databaseUrl ?? databaseUrlOf(settings)
  await progress.step('System packages', (step) => ensurePackages(PACKAGES, step, settings))
  await progress.step('base/busybox', (step) => ensureBusybox({ settings, databaseUrl, step }))
  const fromDebian = await debianInputs()
  const fromNode = await nodeInputs(fromDebian.inputs)
  let debian
  await progress.step('base/debian:bookworm', async (step) => {
    debian = await makeDebian(fromDebian, step, { refresh })
    return publishOnce({
      settings,
      databaseUrl,
      name: 'debian',
      tags: ['bookworm', '12', 'latest'],
      image: debian,
      inputs: fromDebian.inputs,
      refresh,
      step,
    })
  })
  await progress.step(`base/node:${NODE_VERSION}`, async (step) => {
    const image = await makeNode(fromNode, debian, step, { refresh })
    return publishOnce({
      settings,
      databaseUrl,
      name: 'node',
      tags: ['20', NODE_VERSION, 'latest'],
      image,
      inputs: fromNode.inputs,
      refresh,
      step,
    })
  })
}

async function publishOnce({ settings, databaseUrl, name, tags, image, inputs, refresh, step }) {
  if (!refresh && (await isPublished(databaseUrl, name, tags[0], inputs))) return 'already there'
  step.detail('publishing')
  await publish(settings, name, tags, image)
  return `published as ${tags.join(', ')}`
}
