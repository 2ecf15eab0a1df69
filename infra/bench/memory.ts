import { readdirSync, readFileSync } from 'node:fs'

export interface Process {
  pid: number
  parent: number
  command: string
  /** Proportional set size, in bytes: shared pages count once over all who share them. */
  pss: number
  /** What would be free if it ended, in bytes. */
  private: number
}

export function processTree(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8')
        const maps = readFileSync(`/proc/${name}/smaps_rollup`, 'utf8')
        const kilobytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(maps)?.[1] ?? 0)
        return [
          {
            pid: Number(name),
            parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
            command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
            pss: kilobytes('Pss') * 1024,
            private: (kilobytes('Private_Clean') + kilobytes('Private_Dirty')) * 1024,
          },
        ]
      } catch {
        return [] // it ended while we looked, or it is a kernel thread
      }
    })
}

/** Bytes of these processes and all their children; `skip` leaves out whole subtrees by command. */
export function memoryOf(
  roots: number[],
  skip: (command: string) => boolean,
): { total: number; parts: { command: string; bytes: number }[] } {
  const all = processTree()
  const parts: { command: string; bytes: number }[] = []
  const visit = (process: Process) => {
    if (skip(process.command)) return
    parts.push({ command: process.command.slice(0, 80), bytes: process.pss })
    for (const child of all) if (child.parent === process.pid) visit(child)
  }
  for (const pid of roots) {
    const process = all.find((p) => p.pid === pid)
    if (process) visit(process)
  }
  return { total: parts.reduce((sum, part) => sum + part.bytes, 0), parts }
}
