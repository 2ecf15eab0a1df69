/** Files in and out with the CLI: cp, diff, commit, export and import; devices and filters on what a program may do. */
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useEngine } from './engine'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const fails = async (...args: string[]) => {
  const result = await engine.docker(args)
  expect(result.code).toBeGreaterThan(0)
  return result.err
}
const box = (...flags: string[]) => ok('run', '-d', '--name', 'box', ...flags, 'busybox', 'sleep', '1000')

describe('cp', () => {
  it('copies files and folders both ways, of running and of stopped containers', async () => {
    await box('-v', 'kept:/volume', '--tmpfs', '/scratch')
    const source = join(engine.files, 'source')
    mkdirSync(join(source, 'deep'), { recursive: true })
    writeFileSync(join(source, 'deep/file'), 'content', { mode: 0o640 })
    symlinkSync('deep/file', join(source, 'link'))
    await ok('cp', source, 'box:/tmp')
    expect(await ok('exec', 'box', 'sh', '-c', 'cat /tmp/source/link; stat -c " %a %u" /tmp/source/deep/file')).toBe('content 640 0')
    await ok('cp', `${source}/.`, 'box:/volume')
    expect(await ok('exec', 'box', 'ls', '/volume')).toBe('deep\nlink')
    await ok('cp', join(source, 'deep/file'), 'box:/scratch/renamed')
    expect(await ok('exec', 'box', 'cat', '/scratch/renamed')).toBe('content')
    await ok('exec', 'box', 'sh', '-c', 'echo inside > /tmp/made')
    await ok('cp', 'box:/tmp/made', join(engine.files, 'out'))
    expect(readFileSync(join(engine.files, 'out'), 'utf8')).toBe('inside\n')
    await ok('stop', '-t', '0', 'box')
    await ok('cp', 'box:/volume', join(engine.files, 'volume'))
    expect(readFileSync(join(engine.files, 'volume/deep/file'), 'utf8')).toBe('content')
    await ok('cp', join(engine.files, 'out'), 'box:/etc/added')
    await ok('start', 'box')
    expect(await ok('exec', 'box', 'cat', '/etc/added')).toBe('inside')
  })

  it('says what is not there or must not be written', async () => {
    await box('--read-only', '-v', `${engine.files}:/ro:ro`)
    writeFileSync(join(engine.files, 'some'), 'x')
    expect(await fails('cp', 'box:/nothing', engine.files)).toMatch(/Could not find the file \/nothing in container box/)
    expect(await fails('cp', join(engine.files, 'some'), 'box:/tmp/')).toMatch(/read-only/)
    expect(await fails('cp', join(engine.files, 'some'), 'box:/ro/')).toMatch(/read-only/)
    expect(await fails('cp', join(engine.files, 'some'), 'box:/no/such/folder/')).toMatch(/[Cc]ould not find the file|no such directory/)
    expect(await fails('cp', join(engine.files, 'some'), 'gone:/x')).toMatch(/No such container/)
  })

  it('never leaves the container, wherever its links point', async () => {
    await box()
    await ok('exec', 'box', 'sh', '-c', 'ln -s /etc /tmp/etc; ln -s ../../../../../../etc/passwd /tmp/up')
    writeFileSync(join(engine.files, 'mine'), 'mine')
    await ok('cp', join(engine.files, 'mine'), 'box:/tmp/etc/from-outside')
    expect(await ok('exec', 'box', 'cat', '/etc/from-outside')).toBe('mine')
    expect(() => statSync('/etc/from-outside')).toThrow()
    await ok('cp', '-L', 'box:/tmp/up', join(engine.files, 'passwd'))
    expect(readFileSync(join(engine.files, 'passwd'), 'utf8')).toContain('app:x:1000')
  })
})

describe('what a container became', () => {
  it('is told, and made an image', async () => {
    await ok('run', '--name', 'box', 'busybox', 'sh', '-c', 'echo new > /added; echo more >> /etc/passwd; rm /etc/group')
    const changes = (await ok('diff', 'box')).split('\n').sort()
    expect(changes).toEqual(['A /added', 'C /etc', 'C /etc/passwd', 'D /etc/group'])
    const id = await ok('commit', '-a', 'Ada', '-m', 'a note', '-c', 'CMD ["cat","/added"]', '-c', 'ENV KEPT=yes', 'box', 'made:1')
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(await ok('run', '--rm', 'made:1')).toBe('new')
    expect(await ok('run', '--rm', 'made:1', 'sh', '-c', 'echo $KEPT; test -e /etc/group || echo removed')).toBe('yes\nremoved')
    expect(await ok('history', '--format', '{{.Comment}}', 'made:1')).toContain('a note')
    await ok('rmi', 'made:1')
  })

  it('is exported, and imported again', async () => {
    await box()
    await ok('exec', 'box', 'sh', '-c', 'echo here > /marker')
    const archive = join(engine.files, 'export.tar')
    await ok('export', '-o', archive, 'box')
    await ok('import', '-c', 'CMD ["cat","/marker"]', '-m', 'brought', archive, 'brought:1')
    expect(await ok('run', '--rm', 'brought:1')).toBe('here')
    await ok('rmi', 'brought:1')
  })
})

describe('rights', () => {
  it('gives single devices, with the rights that were asked for', async () => {
    // Opened for writing, and nothing written: this is the host's own.
    const open = (rights: string) =>
      engine.docker(['run', '--rm', '--device', `/dev/kmsg:/dev/mine:${rights}`, 'busybox', 'sh', '-c', ': > /dev/mine'])
    expect((await open('rw')).code).toBe(0)
    expect(await open('r')).toMatchObject({ code: 1, err: expect.stringContaining('not permitted') })
    expect(await fails('run', '--rm', '--device', '/dev/no-such-device', 'busybox', 'true')).toMatch(/no-such-device/)
  })

  it('takes a profile of what may be called', async () => {
    const profile = join(engine.files, 'profile.json')
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }
    writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }))
    const refused = await engine.docker(['run', '--rm', '--security-opt', `seccomp=${profile}`, 'busybox', 'mkdir', '/x'])
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('Function not implemented')])
    writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_NONSENSE' }))
    expect(await fails('run', '--rm', '--security-opt', `seccomp=${profile}`, 'busybox', 'true')).toMatch(/SCMP_ACT_NONSENSE|seccomp/)
  })

  it('shares the processes and the memory of another container', async () => {
    await box('--ipc', 'shareable')
    expect(await ok('run', '--rm', '--pid', 'container:box', 'busybox', 'ps')).toMatch(/sleep 1000/)
    await ok('exec', 'box', 'touch', '/dev/shm/shared')
    expect(await ok('run', '--rm', '--ipc', 'container:box', 'busybox', 'ls', '/dev/shm')).toBe('shared')
  })
})
