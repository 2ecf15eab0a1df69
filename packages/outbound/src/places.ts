/**
 * Where an address lies: what we fetch because somebody named it (a Dockerfile, a webhook, an upstream) may come from the Internet
 * only, unless the settings allow more. The agent's downloader has the same rules (`apps/agent/crates/transfer/src/network`), and one
 * table tests both.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'
import { AppError } from '@slipway/core'

/** `never`: where clouds keep their secrets, and addresses that are no single host's; no setting opens these. */
export type Depth = 'outside' | 'inside' | 'never'

// Where a cloud's host keeps secrets at an address that is not link-local: Azure, Alibaba, Oracle; AWS and Google by IPv6.
const SECRETS = ['168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32', 'fd00:ec2::254/128', 'fd20:ce::254/128']
const NEVER = blocks('169.254.0.0/16', '224.0.0.0/3', 'fe80::/10', 'ff00::/8', ...SECRETS)
// Behind a carrier's NAT (RFC 6598), of protocols (RFC 6890) and of benchmarks (RFC 2544): no address of the Internet.
const SHARED = ['100.64.0.0/10', '192.0.0.0/24', '198.18.0.0/15']
const INSIDE = blocks('0.0.0.0/8', '127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', ...SHARED, '::/127', 'fc00::/7')

export function depthOf(address: string): Depth {
  const family = isIP(address)
  // A zone (`fe80::1%eth0`) is of this link only.
  if (family === 0 || address.includes('%')) return 'never'
  if (inBlocks(NEVER, address)) return 'never'
  if (inBlocks(INSIDE, address)) return 'inside'
  const v4 = family === 6 ? embedded(address) : null
  return v4 === null ? 'outside' : depthOf(v4)
}

/** Addresses, networks and host names inside this network that may be reached all the same. */
export class Places {
  readonly #names = new Set<string>()
  readonly #networks = new BlockList()

  /** `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`, `storage.localhost`. Throws AppError for anything else. */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      if (isIP(text.split('/')[0] ?? '') && addBlock(this.#networks, text)) continue
      if (!/^[a-z0-9.-]+$/i.test(text))
        throw new AppError({
          kind: 'internal',
          code: 'SETTING_INVALID',
          message: 'downloadInside takes addresses, networks like 10.0.0.0/8, and host names. Correct the agent’s settings.',
        })
      this.#names.add(plain(text))
    }
  }

  /** Whether the host `name`, which has this address, may be connected to there. */
  allows(name: string, address: string): boolean {
    const depth = depthOf(address)
    return depth === 'outside' || (depth === 'inside' && (this.#names.has(plain(name)) || inBlocks(this.#networks, address)))
  }
}

/** Every address inside this network too; those that nothing opens stay shut. */
export const INSIDE_TOO = new Places(['0.0.0.0/0', '::/0'])
/** The Internet only. */
export const OUTSIDE_ONLY = new Places([])

function plain(name: string): string {
  return name.replace(/\.+$/, '').toLowerCase()
}

function blocks(...networks: string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) addBlock(list, network)
  return list
}

function addBlock(list: BlockList, text: string): boolean {
  const [base = '', given] = text.split('/')
  const [family, bits] = isIPv4(base) ? (['ipv4', 32] as const) : (['ipv6', 128] as const)
  const prefix = given === undefined ? bits : /^\d{1,3}$/.test(given) ? Number(given) : bits + 1
  if (prefix > bits) return false
  list.addSubnet(base, prefix, family)
  return true
}

const inBlocks = (list: BlockList, address: string) => list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')

/** Mapped and compatible IPv4 (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address in them. */
function embedded(v6: string): string | null {
  const parts = groups(v6)
  const dotted = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join('.')
  const begins = (...prefix: number[]) => prefix.every((part, i) => parts[i] === part)
  if (begins(0, 0, 0, 0, 0, 0xffff) || begins(0, 0, 0, 0, 0, 0) || begins(0x64, 0xff9b, 0, 0, 0, 0)) return dotted(parts[6], parts[7])
  return begins(0x2002) ? dotted(parts[1], parts[2]) : null
}

/** The URL parser knows every way to write an IPv6 address, and writes it in one. */
function groups(v6: string): number[] {
  const [head = '', tail] = new URL(`http://[${v6}]`).hostname.slice(1, -1).split('::')
  const read = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const [left, right] = [read(head), read(tail ?? '')]
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
}
