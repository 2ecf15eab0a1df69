/** `slipway build` of a context of 1 GB in 50,000 files: the first upload, and one after a change. Random contents: nothing packs them. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Ready } from '../../tests/e2e/support/account'
import type { Figure } from './stats'

const SLIPWAY = resolve(import.meta.dirname, '../../apps/cli/bin/slipway.cjs')
const FOLDERS = 500
const FILES = 100
const SIZE = 20_000
const RUNS = 5

export async function laptopFigures({ org, installation, key }: Ready): Promise<Figure[]> {
  const home = mkdtempSync('/var/tmp/sw-bench-laptop-')
  const folder = join(home, 'big')
  try {
    fill(folder)
    const env = { PATH: process.env.PATH, HOME: home, SLIPWAY_URL: installation.webUrl, SLIPWAY_API_KEY: key, SLIPWAY_ORG: org }
    const first = await build(folder, env)
    const times: number[] = []
    const sent: number[] = []
    for (let run = 0; run < RUNS; run++) {
      writeFileSync(join(folder, `d${run}`, 'f7'), randomBytes(SIZE))
      const again = await build(folder, env)
      times.push(again.uploadMs)
      sent.push(again.bytes / 1e6)
    }
    const what = 'Context of 1 GB, 50,000 files'
    const small = join(home, 'small')
    fillSmall(small)
    const unchanged: number[] = []
    for (let run = 0; run < RUNS + 2; run++) {
      const from = performance.now()
      await build(small, env)
      // The first ones build it, and keep what V8 made of the command.
      if (run > 1) unchanged.push(performance.now() - from)
    }
    return [
      { name: '`slipway build`, nothing changed, six steps: command from start to exit', unit: 'ms', ours: unchanged, aim: '≤ 100 ms' },
      { name: `${what}: first upload`, unit: 'ms', ours: [first.uploadMs], aim: '—' },
      { name: `${what}: command to queued build, one file changed`, unit: 'ms', ours: times, aim: '≤ 1 s' },
      { name: `${what}: sent, one file changed`, unit: 'MB', ours: sent, aim: '≤ 1 MB' },
    ]
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** As if it had lain there for an hour: what is younger than a tick of the file system's clock is read again. */
function fill(folder: string): void {
  const old = new Date(Date.now() - 3_600_000)
  for (let d = 0; d < FOLDERS; d++) {
    mkdirSync(join(folder, `d${d}`), { recursive: true })
    for (let f = 0; f < FILES; f++) {
      const path = join(folder, `d${d}`, `f${f}`)
      writeFileSync(path, randomBytes(SIZE))
      utimesSync(path, old, old)
    }
  }
  // Nothing of the context is copied: the build itself is measured elsewhere.
  writeFileSync(join(folder, 'Dockerfile'), 'FROM slipway.local/base/busybox\n')
}

/** The six steps that the builder is measured with, on the base that every installation has. */
function fillSmall(folder: string): void {
  const old = new Date(Date.now() - 3_600_000)
  mkdirSync(join(folder, 'src'), { recursive: true })
  for (let f = 0; f < 300; f++) {
    const path = join(folder, 'src', `module-${f}.js`)
    writeFileSync(path, `// ${f}\n`)
    utimesSync(path, old, old)
  }
  writeFileSync(join(folder, 'package.json'), '{}\n')
  writeFileSync(
    join(folder, 'Dockerfile'),
    'FROM slipway.local/base/busybox\nWORKDIR /app\nCOPY package.json ./\nRUN echo install > installed\nCOPY src ./src\nRUN cat src/* | wc -c > size\n',
  )
}

/** Until the build is queued, as the command says; the process's own start is in it. */
function build(folder: string, env: NodeJS.ProcessEnv): Promise<{ uploadMs: number; bytes: number }> {
  return new Promise((done, failed) => {
    const from = performance.now()
    let uploadMs = 0
    const child = execFile(
      process.execPath,
      [SLIPWAY, 'build', folder, '--progress', 'plain'],
      { env, timeout: 600_000, maxBuffer: 16e6 },
      (error, _out, err) => {
        const bytes = Number(/^Sent .* \((\d+) bytes\)/m.exec(err)?.[1])
        if (error || Number.isNaN(bytes)) failed(new Error(`slipway build: ${error?.message ?? ''}\n${err.slice(-2000)}`))
        else done({ uploadMs, bytes })
      },
    )
    child.stderr?.on('data', (text: string) => {
      if (uploadMs === 0 && /^Sent /m.test(text)) uploadMs = performance.now() - from
    })
  })
}
