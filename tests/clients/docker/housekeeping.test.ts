/** Lists, filters, figures and prunes: what `docker` shows of the whole host, and what it takes away. */
import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { useEngine } from './engine'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const lines = async (...args: string[]) => (await ok(...args)).split('\n').filter(Boolean).sort()
const background = (name: string, ...flags: string[]) => ok('run', '-d', '--name', name, ...flags, 'busybox', 'sleep', '1000')
const names = (...filters: string[]) => lines('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((filter) => ['--filter', filter]))

describe('lists', () => {
  it('of containers are chosen by what they are, use and have done', async () => {
    await ok('network', 'create', 'own')
    expect((await engine.docker(['run', '--name', 'seven', 'busybox', 'sh', '-c', 'exit 7'])).code).toBe(7)
    await background('user', '-v', 'used:/v', '--network', 'own', '--expose', '90')
    await background('ill', '--health-cmd', 'false', '--health-interval', '100ms', '--health-retries', '1')
    expect(await names('exited=7')).toEqual(['seven'])
    expect(await names('volume=used')).toEqual(['user'])
    expect(await names('volume=/v')).toEqual(['user'])
    expect(await names('network=own')).toEqual(['user'])
    expect(await names('expose=90')).toEqual(['user'])
    expect(await names('since=seven')).toEqual(['ill', 'user'])
    expect(await names('before=user')).toEqual(['seven'])
    expect(await names('status=running', 'status=exited')).toEqual(['ill', 'seven', 'user'])
    await expect.poll(() => names('health=unhealthy'), { timeout: 30_000 }).toEqual(['ill'])
    expect(await names(`id=${(await ok('ps', '-q', '--filter', 'name=user')).slice(0, 6)}`)).toEqual(['user'])
    expect(await lines('ps', '-n', '1', '--format', '{{.Names}}')).toEqual(['ill'])
    expect(await ok('ps', '-l', '-s', '--format', '{{.Size}}')).toMatch(/^\d+(\.\d+)?k?B \(virtual \d/)
    await ok('rm', '-f', '-v', 'user')
    await ok('volume', 'rm', 'used')
  })

  it('of images, volumes and networks, too', async () => {
    await ok('tag', 'busybox', 'shown:1')
    const archive = `${engine.folder}/busybox.tar`
    await ok('import', '--change', 'LABEL of=test', archive, 'labelled:1')
    expect(await lines('images', '--filter', 'label=of=test', '--format', '{{.Repository}}')).toEqual(['labelled'])
    expect(await lines('images', '--filter', 'since=busybox', '--format', '{{.Repository}}')).toEqual(['labelled'])
    expect(await lines('images', '--filter', 'reference=sho*:*', '--format', '{{.Repository}}:{{.Tag}}')).toEqual(['shown:1'])
    await ok('import', archive, 'labelled:1')
    expect(await lines('images', '--filter', 'dangling=true', '--format', '{{.Repository}}')).toEqual(['<none>'])
    await ok('volume', 'create', 'idle')
    await background('holder', '-v', 'busy:/v')
    expect(await lines('volume', 'ls', '-q', '--filter', 'dangling=true')).toEqual(['idle'])
    expect(await lines('volume', 'ls', '-q', '--filter', 'name=us')).toEqual(['busy'])
    await ok('network', 'create', '--label', 'of=test', 'one')
    expect(await lines('network', 'ls', '--filter', 'type=custom', '--format', '{{.Name}}')).toEqual(['one'])
    expect(await lines('network', 'ls', '--filter', 'driver=null', '--format', '{{.Name}}')).toEqual(['none'])
    for (const kind of ['image', 'volume', 'network'])
      expect((await engine.docker([kind, 'ls', '--filter', 'nonsense=1'])).err).toMatch(/invalid filter/i)
    await ok('rm', '-f', 'holder')
    await ok('volume', 'rm', 'idle', 'busy')
    await ok('rmi', 'shown:1', 'labelled:1')
    await ok('image', 'prune', '-f')
  })
})

describe('inspect', () => {
  it('finds by name, by the beginning of an id, by type, and with sizes', async () => {
    const id = await background('same')
    await ok('volume', 'create', 'same')
    expect(await ok('inspect', '--format', '{{.Id}}', id.slice(0, 8))).toBe(id)
    expect(await ok('inspect', '--type', 'volume', '--format', '{{.Name}} {{.Driver}}', 'same')).toBe('same local')
    await ok('exec', 'same', 'sh', '-c', 'dd if=/dev/zero of=/big bs=1024 count=100')
    expect(Number(await ok('inspect', '-s', '--type', 'container', '--format', '{{.SizeRw}}', 'same'))).toBeGreaterThanOrEqual(102_400)
    expect((await engine.docker(['inspect', '--type', 'network', 'same'])).err).toMatch(/not found|No such network/i)
    await ok('rm', '-f', 'same')
    await ok('volume', 'rm', 'same')
  })
})

describe('prune', () => {
  it('takes what nobody uses, and says what it was', async () => {
    await ok('network', 'create', 'joined')
    await ok('network', 'create', 'alone')
    await background('kept', '--network', 'joined', '-v', 'held:/v')
    await ok('run', '--name', 'over', '-v', '/anonymous', 'busybox', 'true')
    await ok('volume', 'create', 'named')
    await ok('tag', 'busybox', 'unused:1')
    const said = await ok('system', 'prune', '-f')
    expect(said).toMatch(/Deleted Containers:\n[0-9a-f]{64}/)
    expect(said).toMatch(/Deleted Networks:\nalone/)
    expect(said).toMatch(/Total reclaimed space: /)
    expect(await names()).toEqual(['kept'])
    expect(await lines('network', 'ls', '--filter', 'type=custom', '--format', '{{.Name}}')).toEqual(['joined'])
    expect(await ok('volume', 'prune', '-f', '-a')).toMatch(/Deleted Volumes:\n(.*\n)*named\n/)
    expect(await lines('volume', 'ls', '-q')).toEqual(['held'])
    expect(await ok('exec', 'kept', 'echo', 'alive')).toBe('alive')
    await ok('rmi', 'unused:1')
    await ok('rm', '-f', 'kept')
    await ok('volume', 'rm', 'held')
  })

  it('spares what its filters do not mean', async () => {
    await ok('create', '--name', 'old', '--label', 'keep', 'busybox', 'true')
    await ok('create', '--name', 'new', 'busybox', 'true')
    await ok('container', 'prune', '-f', '--filter', 'until=1h')
    expect(await names()).toEqual(['new', 'old'])
    await ok('container', 'prune', '-f', '--filter', 'label!=keep')
    expect(await names()).toEqual(['old'])
    expect((await engine.docker(['container', 'prune', '-f', '--filter', 'nonsense=1'])).err).toMatch(/invalid filter/i)
    expect(await names()).toEqual(['old'])
  })
})

describe('figures', () => {
  it('of the disk name each image, container and volume', async () => {
    await background('writer', '-v', 'full:/v')
    await ok('exec', 'writer', 'sh', '-c', 'dd if=/dev/zero of=/v/file bs=1024 count=2048')
    const told = await ok('system', 'df', '-v')
    expect(told).toMatch(/^busybox\s+latest\s+[0-9a-f]{12}\s/m)
    expect(told).toMatch(/^[0-9a-f]{12}\s+busybox\s.*\swriter$/m)
    expect(told).toMatch(/^full\s+1\s+2\.\d+MB$/m)
    await ok('rm', '-f', 'writer')
    await ok('volume', 'rm', 'full')
  })

  it('of running containers come one after the other', async () => {
    await background('busy')
    const child = spawn('docker', ['stats', '--format', '{{.Name}} {{.PIDs}}', 'busy'], {
      env: engine.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    try {
      let shown = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text
      })
      await expect.poll(() => shown.match(/busy 1/g)?.length ?? 0, { timeout: 30_000 }).toBeGreaterThan(1)
    } finally {
      child.kill('SIGKILL')
    }
  })
})

describe('events', () => {
  it('come as they happen, of the kinds that were asked for', async () => {
    const flags = [
      '--filter',
      'type=container',
      '--filter',
      'type=network',
      '--filter',
      'label=of=test',
      '--format',
      '{{.Type}} {{.Action}}',
    ]
    const child = spawn('docker', ['events', '--since', '1s', ...flags], { env: engine.env, stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      let shown = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        shown += text
      })
      await background('quiet')
      await background('told', '--label', 'of=test')
      await ok('kill', '--signal', 'KILL', 'told')
      await ok('rm', 'told')
      await expect
        .poll(() => shown.split('\n').filter((line) => line.startsWith('container')), { timeout: 30_000 })
        .toEqual(['create', 'start', 'kill', 'die', 'destroy'].map((action) => `container ${action}`))
    } finally {
      child.kill('SIGKILL')
    }
  })
})

describe('networks', () => {
  it('are joined with an address and names, and left, while a container runs', async () => {
    await ok('network', 'create', '--subnet', '10.231.9.0/24', '--opt', 'com.docker.network.driver.mtu=1400', 'late')
    await background('guest')
    await ok('network', 'connect', '--ip', '10.231.9.77', '--alias', 'visitor', 'late', 'guest')
    await background('host', '--network', 'late')
    await expect.poll(async () => (await engine.docker(['exec', 'host', 'nslookup', 'visitor'])).out).toContain('10.231.9.77')
    expect(await ok('exec', 'guest', 'ip', 'link')).toMatch(/mtu 1400/)
    expect((await engine.docker(['network', 'connect', 'late', 'guest'])).err).toMatch(/already exists in network late|already attached/)
    await ok('network', 'disconnect', '-f', 'late', 'guest')
    expect(await ok('network', 'inspect', '--format', '{{range .Containers}}{{.Name}}{{end}}', 'late')).toBe('host')
    expect((await engine.docker(['network', 'disconnect', 'late', 'guest'])).err).toMatch(/not connected/)
    expect(await ok('network', 'prune', '-f')).toBe('')
  })
})
