/** From a host's name to the addresses that may be connected to, and to no others: what answers differently a moment later gains nothing. */
import { lookup as resolve } from 'node:dns/promises'
import { isIP } from 'node:net'
import { depthOf, type Places } from './places'

/** All addresses of a name. */
export type Lookup = (host: string) => Promise<string[]>

export const systemLookup: Lookup = async (host) => (await resolve(host, { all: true })).map(({ address }) => address)

/** `addresses` are at least one. `inside`: an address of this network that is not allowed; `never`: one that no setting allows. */
export type Reach = { addresses: string[] } | { refused: 'unknown'; cause?: unknown } | { refused: 'inside' | 'never'; address: string }

/** `host`: a name, or an address (IPv6 without its brackets). Does not throw. */
export async function reach(host: string, inside: Places, lookup: Lookup = systemLookup): Promise<Reach> {
  let found: string[]
  try {
    found = isIP(host) ? [host] : await lookup(host.replace(/\.+$/, ''))
  } catch (cause) {
    return { refused: 'unknown', cause }
  }
  const addresses = found.filter((address) => inside.allows(host, address))
  if (addresses.length > 0) return { addresses }
  const [address] = found
  if (address === undefined) return { refused: 'unknown' }
  return { refused: depthOf(address) === 'never' ? 'never' : 'inside', address }
}
