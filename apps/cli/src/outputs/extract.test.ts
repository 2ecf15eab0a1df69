import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Header, pack } from 'tar-stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { extractTree } from './extract'

let home: string
let dest: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'slipway-extract-'))
  dest = join(home, 'dest')
  mkdirSync(join(home, 'outside'))
  writeFileSync(join(home, 'outside/precious'), 'precious')
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function tar(...entries: (Partial<Header> & { name: string; content?: string })[]): Readable {
  const stream = pack()
  for (const { content, ...header } of entries) stream.entry(header as Header, content ?? '')
  stream.finalize()
  return Readable.from(stream)
}
const precious = () => readFileSync(join(home, 'outside/precious'), 'utf8')

it('writes files, folders and links as the image has them, owned by whoever asked', async () => {
  const mtime = new Date('2026-01-02T03:04:05Z')
  const entries = tar(
    { name: './', type: 'directory' },
    { name: 'etc/', type: 'directory', mode: 0o500, mtime },
    { name: 'etc/motd', content: 'hello', mode: 0o640, mtime },
    { name: 'bin/tool', content: 'run', mode: 0o4755 },
    { name: 'bin/alias', type: 'symlink', linkname: '/bin/tool' },
    { name: 'bin/again', type: 'link', linkname: 'bin/tool' },
    { name: 'dev/null', type: 'character-device' },
  )
  expect(await extractTree(entries, dest)).toEqual({ files: 2, bytes: 8, skipped: 1 })
  expect(readFileSync(join(dest, 'etc/motd'), 'utf8')).toBe('hello')
  const motd = statSync(join(dest, 'etc/motd'))
  expect([motd.mode & 0o7777, motd.mtime, motd.uid]).toEqual([0o640, mtime, process.getuid?.()])
  expect(statSync(join(dest, 'bin/tool')).mode & 0o7777, 'no setuid for another owner').toBe(0o755)
  expect(readlinkSync(join(dest, 'bin/alias'))).toBe('/bin/tool')
  expect(statSync(join(dest, 'bin/again')).ino).toBe(statSync(join(dest, 'bin/tool')).ino)
  // Over what is there: the same again, and what the image does not name stays.
  writeFileSync(join(dest, 'mine'), 'mine')
  await extractTree(tar({ name: 'etc/motd', content: 'again' }, { name: 'bin', content: 'a file now' }), dest)
  expect(readFileSync(join(dest, 'etc/motd'), 'utf8')).toBe('again')
  expect(readFileSync(join(dest, 'bin'), 'utf8')).toBe('a file now')
  expect(readFileSync(join(dest, 'mine'), 'utf8')).toBe('mine')
})

it.each([['../outside/precious'], ['a/../../outside/precious'], ['..']])('refuses the name %s', async (name) => {
  await expect(extractTree(tar({ name, content: 'evil' }), dest)).rejects.toMatchObject({ code: 'OUTPUT_REFUSED' })
  expect(precious()).toBe('precious')
})

it('follows no link, of the tar or of the folder', async () => {
  mkdirSync(dest)
  symlinkSync(join(home, 'outside'), join(dest, 'mine'))
  symlinkSync(join(home, 'outside/precious'), join(dest, 'file'))
  const entries = tar(
    { name: 'theirs', type: 'symlink', linkname: '../outside' },
    { name: 'theirs/precious', content: 'evil' },
    { name: 'mine/precious', content: 'evil' },
    { name: 'file', content: 'evil' },
    { name: '/absolute', content: 'here' },
  )
  await extractTree(entries, dest)
  expect(precious()).toBe('precious')
  for (const path of ['theirs', 'mine']) expect(lstatSync(join(dest, path)).isDirectory()).toBe(true)
  expect(lstatSync(join(dest, 'file')).isFile()).toBe(true)
  expect(readFileSync(join(dest, 'absolute'), 'utf8')).toBe('here')
})

it('makes no hard link to what is not of the image', async () => {
  mkdirSync(dest)
  symlinkSync(join(home, 'outside'), join(dest, 'out'))
  for (const linkname of ['out/precious', '../outside/precious', 'absent', 'out'])
    await expect(extractTree(tar({ name: 'x', type: 'link', linkname }), dest), linkname).rejects.toMatchObject({ code: 'OUTPUT_REFUSED' })
  expect(existsSync(join(dest, 'x'))).toBe(false)
})

it('says that a stream was cut off', async () => {
  const whole = Buffer.concat(await tar({ name: 'a', content: 'x'.repeat(5000) }).toArray())
  await expect(extractTree(Readable.from([whole.subarray(0, 2000)]), dest)).rejects.toMatchObject({ code: 'OUTPUT_CUT' })
})
