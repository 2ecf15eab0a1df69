/** When do no connections to an upstream remain? Asked of the kernel, so it covers WebSockets and streams too. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const ESTABLISHED = '01'
const POLL_MS = 50

/** `10.1.2.3:8080` as /proc/net/tcp writes it (words of four bytes in the machine's order, here little endian). */
export function procAddress(upstream: string): string {
  const colon = upstream.lastIndexOf(':')
  const host = upstream.slice(0, colon)
  const port = Number(upstream.slice(colon + 1))
    .toString(16)
    .toUpperCase()
    .padStart(4, '0')
  const bytes = host.startsWith('[') ? v6Bytes(host.slice(1, -1)) : host.split('.').map(Number)
  let out = ''
  for (let word = 0; word < bytes.length; word += 4) {
    for (const byte of bytes.slice(word, word + 4).reverse()) out += byte.toString(16).toUpperCase().padStart(2, '0')
  }
  return `${out}:${port}`
}

function v6Bytes(address: string): number[] {
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const middle = tail === undefined ? [] : new Array<number>(8 - before.length - after.length).fill(0)
  return [...before, ...middle, ...after].flatMap((group) => [group >> 8, group & 0xff])
}

/** Established connections from this machine to the upstreams. Caddy keeps an idle one for at most a second. */
export async function openConnections(upstreams: readonly string[]): Promise<number> {
  const wanted = new Set<string>()
  for (const upstream of upstreams) {
    const address = procAddress(upstream)
    wanted.add(address)
    // An IPv6 socket may hold the connection to an IPv4 address, mapped into ::ffff:0:0/96.
    if (!upstream.startsWith('[')) wanted.add(`0000000000000000FFFF0000${address}`)
  }
  let count = 0
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      // No IPv6 on this machine.
      if (error.code === 'ENOENT') return ''
      throw error
    })
    for (const line of text.split('\n')) {
      const [, , remote, state] = line.trim().split(/\s+/)
      if (state === ESTABLISHED && remote !== undefined && wanted.has(remote)) count++
    }
  }
  return count
}

/**
 * Waits until nothing is under way to upstreams that no route names any more, or the time is over.
 * `drained` false: that many connections were still open.
 */
export async function waitDrained(
  upstreams: readonly string[],
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<{ drained: boolean; open: number; tookMs: number }> {
  const from = performance.now()
  for (;;) {
    const open = await openConnections(upstreams)
    const tookMs = performance.now() - from
    if (open === 0 || tookMs >= options.timeoutMs) return { drained: open === 0, open, tookMs }
    await sleep(Math.min(POLL_MS, Math.max(1, options.timeoutMs - tookMs)), undefined, { signal: options.signal })
  }
}
