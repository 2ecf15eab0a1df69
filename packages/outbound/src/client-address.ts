/**
 * Who a request comes from, when a proxy may stand between: `X-Forwarded-For` is a list that each proxy appends the address to which
 * it was asked from, so only its right end is written by somebody we know. It is walked from there: what a trusted proxy says of
 * the next is believed, and the first that is no trusted proxy is the client; whatever it sent itself stands left of that.
 *
 * Trusted by default is the loopback. Where people put a TLS proxy before panel and registry, it mostly runs on the same machine;
 * our own router (Caddy) stands before apps only, and replaces the header. Containers are no loopback: they come from addresses of their
 * own. What this leaves: a process of the machine itself can claim another address. That grants nothing; such an address is
 * counted (failed logins, limits of requests) and written into the audit log. A proxy must write the header (nginx, Caddy,
 * Traefik and HAProxy in HTTP mode can); one that hands on bytes without a look, as stunnel, must not be trusted.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'
import { AppError } from '@slipway/core'

/** More proxies than that stand before nobody; who sends a longer chain plays with it. */
const MAX_HOPS = 16

export class TrustedProxies {
  readonly #blocks = new BlockList()

  /** Addresses and networks, with commas: `127.0.0.1, 10.0.0.0/8, fd00::/8`; `none`. Throws AppError that shows what is neither. */
  constructor(text: string) {
    for (const entry of text === 'none' ? [] : text.split(',').map((part) => part.trim())) {
      if (entry !== '') this.#add(entry)
    }
  }

  #add(entry: string): void {
    const [address = '', prefix, ...rest] = entry.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    const most = family === 'ipv4' ? 32 : 128
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
    if (isIP(address) === 0 || address.includes('%') || rest.length > 0 || !(bits <= most))
      throw new AppError({
        kind: 'internal',
        code: 'SETTING_INVALID',
        message: `SLIPWAY_TRUSTED_PROXIES takes addresses and networks like 10.0.0.0/8, with commas between, or “none”; “${entry.slice(0, 60)}” is neither. Correct it and start again.`,
      })
    this.#blocks.addSubnet(address, bits, family)
  }

  has(address: string): boolean {
    return this.#blocks.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}

export const LOOPBACK_ONLY = '127.0.0.0/8,::1'

/**
 * `socket`: the address of who is connected. `forwarded`: the header as it came, several of them joined with commas. What is no
 * address where one should be (a name, a port behind it, a zone) says that nothing of the header can be relied on: the socket's counts.
 */
export function clientAddress(socket: string | undefined, forwarded: string | undefined, trusted: TrustedProxies): string {
  const connected = plain(socket ?? '')
  if (connected === undefined) return 'unknown'
  if (!forwarded || !trusted.has(connected)) return connected
  let client = connected
  let end = forwarded.length
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    // Not split: what stands left of the answer may be long, and is nobody's business.
    const comma = end === 0 ? -1 : forwarded.lastIndexOf(',', end - 1)
    const said = plain(forwarded.slice(comma + 1, end).trim())
    if (said === undefined) return connected
    client = said
    // A chain of trusted ones alone: the farthest of them asked by itself.
    if (!trusted.has(client) || comma === -1) return client
    end = comma
  }
  return connected
}

/** One text for one address: a socket that listens for both families names IPv4 as `::ffff:1.2.3.4`. Undefined: no address. */
function plain(text: string): string | undefined {
  if (text.length > 45 || text.includes('%')) return undefined
  const inner = /^::ffff:([\d.]+)$/i.exec(text)?.[1] ?? text
  const family = isIP(inner)
  if (family === 4) return inner
  // The same address in other letters would be counted apart.
  return family === 6 && !/^(?:0*:)+ffff:/i.test(inner) ? new URL(`http://[${inner}]`).hostname.slice(1, -1) : undefined
}
