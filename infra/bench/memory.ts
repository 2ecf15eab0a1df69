import { readdirSync, readFileSync } from 'node:fs'

interface Process {
  pid: number
  parent: number
  command: string
  /** Proportional set size, in bytes: shared pages count once over all who share them. */
  pss: number
}

function readProcesses(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8')
        const pss = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${name}/smaps_rollup`, 'utf8'))
        return [
          {
            pid: Number(name),
            parent: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0),
            command: readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
            pss: Number(pss?.[1] ?? 0) * 1024,
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
  const all = readProcesses()
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
