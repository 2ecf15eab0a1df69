/** Looking after containers, images and volumes with the CLI. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isPeer } from './daemons'
import { useEngine } from './engine'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const background = (name: string, script = 'sleep 1000', ...flags: string[]) =>
  ok('run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script)
const state = (name: string, field = '.State.Status') => ok('inspect', '--format', `{{${field}}}`, name)

describe('containers', () => {
  it('lists with filters and formats', async () => {
    await background('one', undefined, '--label', 'tier=web')
    await background('two', undefined, '--label', 'tier=db')
    await ok('create', '--name', 'three', 'busybox', 'true')
    const names = async (...filters: string[]) =>
      (await ok('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((f) => ['--filter', f]))).split('\n').sort()
    expect(await names('label=tier')).toEqual(['one', 'two'])
    expect(await names('label=tier=db')).toEqual(['two'])
    expect(await names('status=created')).toEqual(['three'])
    expect(await names('ancestor=busybox', 'name=t')).toEqual(['three', 'two'])
    expect(await ok('ps', '--format', '{{.Names}}\t{{.Status}}')).toMatch(/^two\tUp .*\none\tUp .*$/)
    expect((await engine.docker(['ps', '--filter', 'nonsense=1'])).err).toMatch(/invalid filter/i)
  })

  it('renames, updates, pauses, waits, kills and restarts', async () => {
    await background('old', 'while :; do sleep 0.1; done')
    await ok('rename', 'old', 'new')
    await ok('update', '--memory', '64m', '--memory-swap', '64m', '--restart', 'on-failure:2', 'new')
    expect(await state('new', '.HostConfig.Memory')).toBe('67108864')
    await ok('pause', 'new')
    expect(await state('new')).toBe('paused')
    await ok('unpause', 'new')
    const waiting = engine.docker(['wait', 'new'])
    await ok('update', '--restart', 'no', 'new')
    await ok('kill', '--signal', 'KILL', 'new')
    expect((await waiting).out).toBe('137\n')
    await ok('restart', '-t', '0', 'new')
    expect(await state('new')).toBe('running')
    expect((await engine.docker(['rename', 'new', 'bad name'])).err).toMatch(/Invalid container name/)
    expect((await engine.docker(['rm', 'new'])).err).toMatch(/cannot remove/)
  })

  it('executes, with environment, user and code', async () => {
    await background('box')
    expect(await ok('exec', '-e', 'X=1', '-u', 'app', '-w', '/tmp', 'box', 'sh', '-c', 'echo $X $(id -un) $(pwd)')).toBe('1 app /tmp')
    expect((await engine.docker(['exec', 'box', 'sh', '-c', 'exit 6'])).code).toBe(6)
    expect((await engine.docker(['exec', 'box', 'no-such-program'])).code).toBe(127)
    expect(await engine.ok(['exec', '-i', 'box', 'cat'], { stdin: 'through' })).toBe('through')
    expect((await engine.docker(['exec', 'gone', 'true'])).err).toMatch(/No such container/)
  })

  it('shows logs: all, the last, by time, as they come', async () => {
    await background('talker', 'for i in 1 2 3 4 5; do echo line $i; done; echo wrong >&2; sleep 1; echo late; sleep 1000')
    await expect.poll(() => ok('logs', 'talker')).toContain('late')
    expect(await engine.docker(['logs', '--tail', '3', 'talker'])).toEqual({ code: 0, out: 'line 5\nlate\n', err: 'wrong\n' })
    expect(await ok('logs', '-t', '--tail', '1', 'talker')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z late$/)
    const moment = (await ok('logs', '-t', '--tail', '1', 'talker')).split(' ')[0] ?? ''
    expect(await ok('logs', '--since', moment, 'talker')).toBe('late')
    expect((await engine.docker(['logs', '--until', moment, 'talker'])).out).toContain('line 5')
    const following = engine.docker(['logs', '-f', 'talker'])
    await ok('kill', 'talker')
    expect((await following).out).toMatch(/late\n$/)
  })

  it('tells statistics, processes, changes of state and events', async () => {
    const since = Math.floor(Date.now() / 1000)
    await background('busy')
    expect(await ok('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', 'busy')).toMatch(/^busy \d+(\.\d+)?[kKM]?i?B \/ /)
    expect(await ok('top', 'busy')).toMatch(/sleep 1000/)
    expect(await ok('top', 'busy', '-o', 'pid,args')).toMatch(/^PID\s+COMMAND/)
    await ok('stop', '-t', '0', 'busy')
    const until = String(Math.floor(Date.now() / 1000) + 1)
    const events = await ok('events', '--since', String(since), '--until', until, '--filter', 'container=busy', '--format', '{{.Action}}')
    expect(events.split('\n')).toEqual(expect.arrayContaining(['create', 'start', 'die', 'stop']))
  })

  it('checks health and removes by itself', async () => {
    await background('healthy', undefined, '--health-cmd', 'test -e /ok', '--health-interval', '200ms', '--health-retries', '2')
    await expect.poll(() => state('healthy', '.State.Health.Status'), { timeout: 30_000 }).toBe('unhealthy')
    await ok('exec', 'healthy', 'touch', '/ok')
    await expect.poll(() => state('healthy', '.State.Health.Status'), { timeout: 30_000 }).toBe('healthy')
    await ok('run', '-d', '--rm', '--name', 'passing', 'busybox', 'true')
    await expect.poll(async () => (await engine.docker(['inspect', 'passing'])).code, { timeout: 30_000 }).toBe(1)
  })

  it.skipIf(isPeer)('keeps everything when the daemon is killed and started again', async () => {
    const id = await background('survivor', 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done')
    await engine.replace()
    expect(await state('survivor')).toBe('running')
    const lines = async () => (await ok('logs', 'survivor')).split('\n').map(Number)
    const before = (await lines()).length
    await expect.poll(async () => (await lines()).length, { timeout: 30_000 }).toBeGreaterThan(before + 3)
    const seen = await lines()
    expect(seen).toEqual(seen.map((_, i) => i + 1))
    expect(await ok('ps', '-q', '--no-trunc')).toBe(id)
  })
})

describe('images and volumes', () => {
  it('tags, saves, loads, looks and removes', async () => {
    await ok('tag', 'busybox', 'copy:1')
    const archive = join(engine.files, 'saved.tar')
    await ok('save', '-o', archive, 'copy:1')
    expect(statSync(archive).size).toBeGreaterThan(500_000)
    expect(await ok('rmi', 'copy:1')).toBe('Untagged: copy:1')
    expect(await ok('load', '-i', archive)).toBe('Loaded image: copy:1')
    expect(await ok('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'reference=copy')).toBe('copy:1')
    expect(await ok('image', 'inspect', '--format', '{{.Os}}', 'copy:1')).toBe('linux')
    await background('user')
    expect((await engine.docker(['rmi', await ok('inspect', '--format', '{{.Image}}', 'user')])).err).toMatch(/conflict|must be forced/)
    await ok('rmi', 'copy:1')
    expect((await engine.docker(['rmi', 'copy:1'])).err).toMatch(/No such image/)
  })

  it('keeps volumes, labels them, and prunes what nobody uses', async () => {
    await ok('volume', 'create', '--label', 'of=test', 'named')
    await ok('run', '--rm', '-v', 'named:/v', 'busybox', 'sh', '-c', 'echo kept > /v/file')
    expect(await ok('run', '--rm', '-v', 'named:/v:ro', 'busybox', 'cat', '/v/file')).toBe('kept')
    expect(await ok('volume', 'ls', '-q', '--filter', 'label=of=test')).toBe('named')
    expect(readFileSync(join(await ok('volume', 'inspect', '--format', '{{.Mountpoint}}', 'named'), 'file'), 'utf8')).toBe('kept\n')
    await background('holder', undefined, '-v', 'named:/v')
    expect((await engine.docker(['volume', 'rm', 'named'])).err).toMatch(/volume is in use/)
    await ok('rm', '-f', 'holder')
    await ok('volume', 'rm', 'named')
    await ok('run', '--name', 'over', '-v', '/anonymous', 'busybox', 'true')
    expect(await ok('container', 'prune', '-f')).toMatch(/Deleted Containers:/)
    expect(await ok('system', 'df', '--format', '{{.Type}}')).toBe('Images\nContainers\nLocal Volumes\nBuild Cache')
  })

  it('mounts what options of a volume say, and removes the volume but not the folder', async () => {
    const folder = join(engine.files, 'bound')
    mkdirSync(folder)
    writeFileSync(join(folder, 'precious'), 'x')
    await ok('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${folder}`, 'bound')
    await ok('volume', 'create', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=2m,uid=1000', 'memory')
    expect(JSON.parse(await ok('volume', 'inspect', '--format', '{{json .Options}}', 'bound'))).toEqual({
      type: 'none',
      o: 'bind',
      device: folder,
    })
    const script = 'ls /bound; echo new > /bound/new; stat -c %u /memory; df -k /memory | tail -n 1 | tr -s " " | cut -d " " -f 2'
    expect(await ok('run', '--rm', '-v', 'bound:/bound', '-v', 'memory:/memory', 'busybox', 'sh', '-c', script)).toBe(
      'precious\n1000\n2048',
    )
    expect(await ok('system', 'df', '-v', '--format', '{{range .Volumes}}{{.Name}} {{.Size}} {{.Links}},{{end}}')).toMatch(/bound 0B 0,/)
    expect(await ok('volume', 'prune', '-f')).not.toContain('bound')
    await ok('volume', 'rm', 'bound', 'memory')
    expect(readdirSync(folder).sort()).toEqual(['new', 'precious'])
    const mount = 'type=volume,source=direct,target=/v,volume-opt=type=tmpfs,volume-opt=device=tmpfs,"volume-opt=o=size=1m,mode=700"'
    expect(await ok('run', '--rm', '--mount', mount, 'busybox', 'stat', '-c', '%a', '/v')).toBe('700')
    expect((await engine.docker(['volume', 'create', '-o', 'type=tmpfs'])).err).toMatch(/missing required option: "device"/)
    await ok('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', 'device=/nowhere/at/all', 'broken')
    const failed = await engine.docker(['run', '--rm', '-v', 'broken:/v', 'busybox', 'true'])
    expect(failed.err).toMatch(/error while mounting volume .* failed to mount local volume: mount \/nowhere\/at\/all/)
    await ok('volume', 'rm', 'broken', 'direct')
  })

  it('says where builds are made, and what it does not have', async () => {
    const built = await engine.docker(['build', '-'], { stdin: 'FROM busybox\n' })
    expect(built.code).toBeGreaterThan(0)
    expect(built.err + built.out).toMatch(/Slipway/)
    expect((await engine.docker(['swarm', 'init'])).code).toBeGreaterThan(0)
    expect((await engine.docker(['inspect', 'nothing-here'])).err).toMatch(/No such object/)
  })
})
