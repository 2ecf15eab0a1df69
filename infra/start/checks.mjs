// What has to be there before anything else, and cannot be installed by us.
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { StartError } from './errors.mjs'

const NODE_MINIMUM = [20, 9]

/** @param {{ version: string, uid: number, platform: string }} host */
export function checkHost({ version, uid, platform }) {
  if (platform !== 'linux') {
    throw new StartError(`Slipway runs containers itself and needs Linux; this is ${platform}.`, { hint: 'Start it on a Linux machine.' })
  }
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number)
  if (major < NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor < NODE_MINIMUM[1])) {
    throw new StartError(`Slipway needs Node.js ${NODE_MINIMUM.join('.')} or newer; this is ${version}.`, {
      hint: 'Install a newer Node.js (https://nodejs.org/en/download) and run npm start again.',
    })
  }
  if (uid !== 0) {
    throw new StartError('Slipway needs root: it makes namespaces, mounts and network bridges for containers.', {
      hint: 'Run it as root, for example with: sudo npm start',
    })
  }
}

/** First file of that name on PATH that may be executed. */
export function findProgram(/** @type {string} */ name, path = process.env.PATH ?? '') {
  for (const folder of path.split(delimiter)) {
    const file = join(folder || '.', name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // not in this folder
    }
  }
  return undefined
}

/**
 * Puts the places where rustup, Go's archives and Debian put programs on PATH: shells of services and CI often lack them.
 * @param {Record<string, string | undefined>} env changed in place
 */
export function completePath(env) {
  const wanted = [
    env.CARGO_HOME && join(env.CARGO_HOME, 'bin'),
    env.HOME && join(env.HOME, '.cargo/bin'),
    '/root/.cargo/bin',
    '/usr/local/go/bin',
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/sbin',
    '/bin',
  ]
  const present = new Set((env.PATH ?? '').split(delimiter))
  const added = wanted.filter((folder) => folder && !present.has(folder) && existsSync(folder))
  env.PATH = [...present, ...new Set(added)].filter(Boolean).join(delimiter)
}

/** The agent is compiled here, so cargo must be there; a distribution's own Rust is often too old to offer. */
export function checkRust() {
  if (findProgram('cargo') && findProgram('rustc')) return
  throw new StartError('Slipway compiles its agent on this machine, and there is no Rust toolchain.', {
    hint: [
      'Install one (a minute, no other settings needed), then run npm start again:',
      "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs -o rustup-init.sh && sh rustup-init.sh -y --profile minimal",
    ].join('\n'),
  })
}
