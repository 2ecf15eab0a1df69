// What base images take over from the machine they are made on, so that builds reach package servers the way it does: its
// mirrors of Debian, its npm registry, and the certificate authorities its owner added. Nothing that holds a password.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../start/run.mjs'
import { sha256 } from './image.mjs'

const LOCAL_CERTIFICATES = '/usr/local/share/ca-certificates'
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'

/** Images that were made are kept here, for the next installation on this machine. */
export const cacheFolder = (/** @type {string} */ name, /** @type {string} */ inputs) =>
  join(process.env.SLIPWAY_CACHE || '/var/cache/slipway', 'base-images', `${name}-${inputs.replace('sha256:', '').slice(0, 24)}`)

/** Authorities added by this machine's owner, and the whole bundle if there are any. */
export function localCertificates() {
  const files = existsSync(LOCAL_CERTIFICATES)
    ? readdirSync(LOCAL_CERTIFICATES)
        .filter((name) => name.endsWith('.crt'))
        .sort()
        .map((name) => ({ name, content: readFileSync(join(LOCAL_CERTIFICATES, name)) }))
    : []
  const bundle = files.length > 0 && existsSync(BUNDLE) ? readFileSync(BUNDLE) : undefined
  return { files, bundle, digest: sha256(files.map(({ name, content }) => `${name} ${sha256(content)}`).join('\n')) }
}

/**
 * apt sources for a suite: those of this machine if it is that Debian, else Debian's own servers.
 * @param {string} suite @returns {Promise<string[]>} lines of sources.list
 */
export async function aptSources(suite) {
  const wanted = [suite, `${suite}-updates`, `${suite}-security`]
  const listed = await run(['apt-get', 'indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'], {
    deadlineMs: 30_000,
    what: 'Reading this machine’s package sources',
  }).catch(() => '') // no apt here, or none configured: then the public servers
  const own = new Map()
  for (const line of listed.split('\n')) {
    const [uri, release, component] = line.trim().split(' ')
    if (component !== 'main' || !wanted.includes(release) || !/^https?:\/\/[^@]+$/.test(uri) || own.has(release)) continue
    own.set(release, `deb ${uri.replace(/\/$/, '')} ${release} main`)
  }
  if (own.has(suite)) return wanted.flatMap((release) => own.get(release) ?? [])
  return [
    `deb http://deb.debian.org/debian ${suite} main`,
    `deb http://deb.debian.org/debian ${suite}-updates main`,
    `deb http://deb.debian.org/debian-security ${suite}-security main`,
  ]
}

const APT_SETTINGS = ['Acquire::Check-Valid-Until', 'Acquire::Check-Date', 'Acquire::http::Proxy', 'Acquire::https::Proxy']

/** apt's settings about how this machine reaches its servers, as lines of apt.conf. */
export async function aptSettings() {
  const lines = []
  for (const name of APT_SETTINGS) {
    const dump = await run(['apt-config', 'dump', '--no-empty', name], { deadlineMs: 10_000, what: 'apt-config' }).catch(() => '')
    const line = dump.split('\n').find((entry) => entry.startsWith(`${name} `))
    if (line && !line.includes('@')) lines.push(line)
  }
  return lines
}

/** The npm registry this machine uses, if it is not the public one; one with a password in its address is not taken over. */
export async function npmRegistry() {
  const given = (await run(['npm', 'config', 'get', 'registry'], { deadlineMs: 30_000, what: 'npm config' })).trim().split('\n').pop() ?? ''
  return /^https?:\/\/[^@]+$/.test(given) && !given.includes('//registry.npmjs.org') ? given : undefined
}
