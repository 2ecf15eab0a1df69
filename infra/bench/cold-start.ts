import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '@slipway/testing'

const ROOT = resolve(import.meta.dirname, '../..')

/** Milliseconds from `npm start` in a fresh clone to "Slipway is up", with nothing but PATH and HOME in the environment. */
export async function coldStart(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sw-cold-'))
  const clone = join(folder, 'slipway')
  execFileSync('git', ['clone', '--quiet', ROOT, clone])
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '/root',
    SLIPWAY_DATA: join(folder, 'data'),
    SLIPWAY_WEB_PORT: String(await freePort()),
    SLIPWAY_REGISTRY_PORT: String(await freePort()),
    SLIPWAY_ROUTER_PORT: String(await freePort()),
  }
  const from = Date.now()
  const child = spawn('npm', ['start'], { cwd: clone, env, stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    return await new Promise<number>((done, fail) => {
      let printed = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        process.stderr.write(text)
        printed += text
        if (/Slipway is up at/.test(printed)) done(Date.now() - from)
      })
      child.once('close', (code) => fail(new Error(`npm start ended with ${code}`)))
    })
  } finally {
    child.kill('SIGINT')
    await new Promise((gone) => child.once('close', gone))
    rmSync(folder, { recursive: true, force: true })
  }
}
