import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Programs of this machine with what they are linked with, to run in a step. */
export function takeAlong(programs: string[], into: string): void {
  const linked = programs.flatMap((path) => execFileSync('ldd', [path], { encoding: 'utf8' }).match(/\/\S+/g) ?? [])
  for (const path of new Set([...programs, ...linked])) {
    mkdirSync(dirname(join(into, path)), { recursive: true })
    cpSync(path, join(into, path), { dereference: true })
  }
}
