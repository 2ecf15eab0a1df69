/**
 * Takes: the address of a Git repository that a Dockerfile or a named context names.
 * Gives: the same for git, with the address of the server that was checked and that git has to take.
 */
import { isIP } from 'node:net'
import { AppError, type SshAddress, sshAddress } from '@slipway/core'
import { type Lookup, Places, reach, systemLookup } from '@slipway/outbound'

export interface GitAddress {
  /** As one parser wrote it, so that git's cannot read another host in it. */
  url: string
  /** For `http.curloptResolve`; null when the host is an address. */
  resolve: string | null
  /** The server over SSH, and the address to connect to. */
  ssh?: { address: SshAddress; pinned: string }
}

/** Throws AppError GIT_*. The connection is made to what was checked here: a name that answers differently the next time gains nothing. */
export async function gitAddress(text: string, inside: Places, lookup: Lookup = systemLookup): Promise<GitAddress> {
  const ssh = sshAddress(text)
  if (ssh) {
    const [pinned = ''] = await checked(ssh.host, inside, lookup)
    return { url: text, resolve: null, ssh: { address: ssh, pinned } }
  }
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') throw notOurs(text)
  // With a dot at its end, a host would be one name to us and another one to the list of those that git need not look up.
  url.hostname = url.hostname.replace(/\.+$/, '')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const allowed = await checked(host, inside, lookup)
  if (isIP(host)) return { url: url.href, resolve: null }
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const written = allowed.slice(0, MAX_ADDRESSES).map((address) => (isIP(address) === 6 ? `[${address}]` : address))
  return { url: url.href, resolve: `${host}:${port}:${written.join(',')}` }
}

const MAX_ADDRESSES = 8

/** An app's own repository may be anywhere but where clouds keep their secrets: its address comes from a member. */
export const ANYWHERE = new Places(['0.0.0.0/0', '::/0'])

/** One host, one port, one way to it. */
export function isSameServer(one: string, other: string): boolean {
  const [ssh, otherSsh] = [sshAddress(one), sshAddress(other)]
  if (ssh || otherSsh) return ssh?.host === otherSsh?.host && ssh?.port === otherSsh?.port
  return URL.canParse(one) && URL.canParse(other) && new URL(one).origin === new URL(other).origin && new URL(one).origin !== 'null'
}

/** The addresses of a host that may be connected to; at least one. */
async function checked(host: string, inside: Places, lookup: Lookup): Promise<string[]> {
  const found = await reach(host, inside, lookup)
  if ('addresses' in found) return found.addresses
  if (found.refused === 'unknown') throw unknown(host, found.cause)
  throw found.refused === 'never' ? nobodys(host, found.address) : liesInside(host, found.address)
}

const liesInside = (host: string, address: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_INSIDE',
    message: `${host.slice(0, 100)} is or leads to an address inside this network, ${address}. A Dockerfile and a named context may name public Git servers only; if this one is meant, the administrator allows it with SLIPWAY_DOWNLOAD_INSIDE.`,
  })

const nobodys = (host: string, address: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_INSIDE',
    message: `${host.slice(0, 100)} is or leads to ${address}, which is the address of no Git server: clouds answer there with a machine's secrets, or many answer at once. Correct the repository's address.`,
  })

const notOurs = (text: string) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_ADDRESS_INVALID',
    message: `"${text.slice(0, 100)}" is no address of a Git repository that a build can read. It begins with https:// or http://, or is one over SSH, as in git@git.example:org/repo.git.`,
  })

const unknown = (host: string, cause?: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'GIT_HOST_UNKNOWN',
    message: `The Git server's name cannot be resolved (${host.slice(0, 100)}). Check the repository's address.`,
    cause,
  })
