import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Installation } from './installation'

const LISTEN = '0A'

/** Every TCP port that a part of this installation listens on, but those that are there for everyone: panel and router. */
export function listeners({ data, webUrl, routerPort }: Installation): number[] {
  const parts = JSON.parse(readFileSync(join(data, 'run/processes.json'), 'utf8')) as { pid: number }[]
  const sockets = new Set(parts.flatMap(({ pid }) => descendants(pid)).flatMap(socketsOf))
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1))
  const ports = lines
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([, local = '', , state, , , , , , inode = '']) =>
      state === LISTEN && sockets.has(inode) ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [],
    )
  const open = [routerPort, Number(new URL(webUrl).port)]
  return [...new Set(ports)].filter((port) => !open.includes(port)).sort((a, b) => a - b)
}

function descendants(pid: number): number[] {
  const children = read(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
  return [pid, ...children.flatMap(descendants)]
}

const socketsOf = (pid: number): string[] =>
  read(() => readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))).flatMap(
    (link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [],
  )

/** A process may end while one looks. */
function read<T>(look: () => T[]): T[] {
  try {
    return look()
  } catch {
    return []
  }
}
