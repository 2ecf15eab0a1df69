import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Installation } from './installation'

const ROOT = resolve(import.meta.dirname, '../../..')
/** On a fresh machine mmdebstrap is installed and a Debian fetched. */
const DEADLINE_MS = 12 * 60_000

/** `npm run base-images` for one installation; gives what it printed. A second time on one machine takes it from the cache. */
export async function baseImages({ env }: Installation): Promise<string> {
  const child = spawn(process.execPath, ['infra/base-images/main.mjs'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  const timer = setTimeout(() => child.kill('SIGTERM'), DEADLINE_MS)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  if (code !== 0) throw new Error(`base-images ended with ${code}:\n${printed}`)
  return printed
}

/** Debian's own programs and libraries are read by a build; so is what npm and apt fetch. */
export const APT_AND_NPM_BUILD_MS = 8 * 60_000
