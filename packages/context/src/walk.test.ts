import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIgnoreMatcher } from '@slipway/dockerfile'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Context } from './context'
import { StatCache } from './stat-cache'
import { walkContext } from './walk'

const never = new AbortController().signal
const nothing = createIgnoreMatcher('')
let scratch: string
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-context-'))
})
afterAll(() => rmSync(scratch, { recursive: true }))

/** `kind mode path`, of everything in a context. */
function listed(context: Context, digest = context.root, below = ''): string[] {
  const text = context.trees.get(digest)?.object.toString() ?? ''
  const lines = text.slice('slipway-tree-1\n'.length).split('\0')
  const out: string[] = []
  for (let i = 0; i < lines.length - 1; i++) {
    const [, kind, rest = ''] = /^(\w) ([\s\S]*)$/.exec(lines[i] ?? '') ?? []
    if (kind === 'l') out.push(`l ${below}${rest} → ${lines[++i]}`)
    const [, mode, digest = '', name = ''] = /^(\d+) (?:\d+ )?([0-9a-f]{64}) ([\s\S]*)$/.exec(rest) ?? []
    if (kind !== 'l') out.push(`${kind} ${mode} ${below}${name}`)
    if (kind === 'd') out.push(...listed(context, digest, `${below}${name}/`))
  }
  return out
}

function folder(name: string, files: Record<string, string>): string {
  const root = join(scratch, name)
  mkdirSync(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

describe('a walk', () => {
  it('keeps symlinks as they are, modes and names, and reads nothing outside of the folder', async () => {
    const root = folder('links', { 'src/a.txt': 'a', run: '#!', ü: '' })
    chmodSync(join(root, 'run'), 0o4755)
    symlinkSync('/etc/passwd', join(root, 'passwd'))
    symlinkSync('..', join(root, 'up'))
    execFileSync('mkfifo', [join(root, 'pipe')])
    const context = await walkContext(root, nothing, never)
    expect(listed(context)).toEqual(['l passwd → /etc/passwd', 'f 4755 run', 'd 755 src', 'f 644 src/a.txt', 'l up → ..', 'f 644 ü'])
    expect(context).toMatchObject({ entries: 6, bytes: 3, read: 3 })
  })

  it('leaves out what .dockerignore says, and lets exceptions back in', async () => {
    const root = folder('ignore', { 'node_modules/x/keep.js': '', 'node_modules/x/drop.js': '', 'app.js': '' })
    const context = await walkContext(root, createIgnoreMatcher('node_modules\n!node_modules/x/keep.js\n'), never)
    expect(listed(context)).toEqual(['f 644 app.js', 'd 755 node_modules', 'd 755 node_modules/x', 'f 644 node_modules/x/keep.js'])
  })

  it('names what cannot be read, and what is too much', async () => {
    const root = folder('broken', { a: 'x'.repeat(100) })
    symlinkSync(join(root, 'gone'), join(root, 'loop'))
    const budget = { entries: 199_999, bytes: 0 }
    await expect(walkContext(root, nothing, never, { budget })).rejects.toMatchObject({ code: 'CONTEXT_TOO_LARGE', kind: 'too-large' })
    const missing = walkContext(join(scratch, 'nowhere'), nothing, never)
    await expect(missing).rejects.toMatchObject({ code: 'CONTEXT_UNREADABLE', message: expect.stringContaining('ENOENT') })
  })

  it('reads only what changed, and never believes a file that is too young', async () => {
    const root = folder('cached', { a: 'a', b: 'b' })
    const old = new Date(Date.now() - 60_000)
    for (const name of ['a', 'b']) utimesSync(join(root, name), old, old)
    const walked = async () => {
      const cache = await StatCache.open(join(scratch, 'cache'), root)
      const context = await walkContext(root, nothing, never, { cache })
      await cache.save(root)
      return context
    }
    const first = await walked()
    // Their status changed just now: within a tick of the clock it may change again, unseen.
    expect([first.read, (await walked()).read]).toEqual([2, 2])
    await new Promise((resolve) => setTimeout(resolve, 2100))
    expect([(await walked()).read, (await walked()).read]).toEqual([2, 0])
    appendFileSync(join(root, 'b'), 'b')
    const changed = await walked()
    expect(changed.read).toBe(1)
    expect(changed.blobs.has(createHash('sha256').update('bb').digest('hex'))).toBe(true)
    writeFileSync(join(scratch, 'cache/contexts', 'broken.json'), '{')
    expect((await walked()).root).toBe(changed.root)
  })
})
