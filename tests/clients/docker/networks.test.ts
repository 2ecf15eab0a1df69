/** Networks with the CLI: made, named, joined, kept apart, published. */
import { createSocket } from 'node:dgram'
import { describe, expect, it } from 'vitest'
import { isPeer } from './daemons'
import { useEngine } from './engine'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const fails = async (...args: string[]) => {
  const result = await engine.docker(args)
  expect(result.code).toBeGreaterThan(0)
  return result.err
}
const serve = (name: string, ...flags: string[]) =>
  ok('run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', `mkdir /w && echo ${name} > /w/index.html && httpd -f -h /w`)
/** What a server answers to a container; '' when it does not. busybox's wget has no use for -T here: it is ended from outside. */
const ask = async (from: string, host: string) => {
  const { out } = await engine.docker(['exec', from, 'timeout', '3', 'wget', '-q', '-O', '-', `http://${host}/`])
  return out.trim()
}

describe('networks', () => {
  it('are made, listed, looked at and removed', async () => {
    await ok('network', 'create', '--subnet', '10.231.7.0/24', '--gateway', '10.231.7.1', '--label', 'of=test', 'made')
    expect(await ok('network', 'ls', '--filter', 'label=of=test', '--format', '{{.Name}} {{.Driver}} {{.Scope}}')).toBe('made bridge local')
    expect(await ok('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Subnet}}', 'made')).toBe('10.231.7.0/24')
    expect((await ok('network', 'ls', '--format', '{{.Name}}')).split('\n').sort()).toEqual(['bridge', 'host', 'made', 'none'])
    expect(await fails('network', 'create', 'made')).toMatch(/already exists/)
    expect(await fails('network', 'create', '--subnet', '10.231.7.0/25', 'overlapping')).toMatch(/overlaps/)
    await serve('user', '--network', 'made')
    expect(await fails('network', 'rm', 'made')).toMatch(/has active endpoints/)
    await ok('rm', '-f', 'user')
    expect(await ok('network', 'rm', 'made')).toBe('made')
    expect(await fails('network', 'inspect', 'made')).toMatch(/not found|No such network/)
    expect(await fails('network', 'rm', 'bridge')).toMatch(/pre-defined|cannot be removed/)
  })

  it('give addresses that were asked for, and names to find each other by', async () => {
    await ok('network', 'create', '--subnet', '10.231.8.0/24', 'named')
    await serve('web', '--network', 'named', '--ip', '10.231.8.50', '--mac-address', '02:42:0a:e7:08:32', '--network-alias', 'site')
    await serve('other', '--network', 'named', '--network-alias', 'site')
    const format = '{{.IPAddress}} {{.MacAddress}}'
    expect(await ok('inspect', '--format', `{{with .NetworkSettings.Networks.named}}${format}{{end}}`, 'web')).toBe(
      '10.231.8.50 02:42:0a:e7:08:32',
    )
    await ok('run', '-d', '--name', 'client', '--network', 'named', 'busybox', 'sleep', '1000')
    await expect.poll(() => ask('client', 'web'), { timeout: 20_000 }).toBe('web')
    expect(await ask('client', (await ok('inspect', '--format', '{{.Id}}', 'web')).slice(0, 12))).toBe('web')
    const seen = new Set<string>()
    await expect.poll(async () => seen.add(await ask('client', 'site')).size, { timeout: 40_000 }).toBeGreaterThanOrEqual(2)
    await ok('rm', '-f', 'other')
    expect(await ask('client', 'other')).toBe('')
    await ok('rename', 'web', 'renamed')
    expect(await ask('client', 'renamed')).toBe('web')
  })

  it('are kept apart, and joined while containers run', async () => {
    await ok('network', 'create', 'left')
    await ok('network', 'create', 'right')
    await serve('server', '--network', 'left')
    await ok('run', '-d', '--name', 'stranger', '--network', 'right', 'busybox', 'sleep', '1000')
    const address = await ok('inspect', '--format', '{{.NetworkSettings.Networks.left.IPAddress}}', 'server')
    expect(await ask('stranger', address)).toBe('')
    expect(await ask('stranger', 'server')).toBe('')
    await ok('network', 'connect', '--alias', 'friend', 'left', 'stranger')
    await expect.poll(() => ask('stranger', 'server'), { timeout: 20_000 }).toBe('server')
    expect(await ask('stranger', address)).toBe('server')
    await ok('network', 'disconnect', 'left', 'stranger')
    expect(await ask('stranger', 'server')).toBe('')
    expect(await ask('stranger', address)).toBe('')
  })

  it('that are internal lead nowhere', async () => {
    await ok('network', 'create', '--internal', 'inside')
    await serve('server', '--network', 'inside')
    await ok('run', '-d', '--name', 'client', '--network', 'inside', 'busybox', 'sleep', '1000')
    await expect.poll(() => ask('client', 'server'), { timeout: 20_000 }).toBe('server')
    expect(await ok('exec', 'client', 'ip', 'route')).not.toContain('default')
  })

  it('publish TCP and UDP on this host', async () => {
    const flags = ['--network', 'bridge', '-p', '127.0.0.1::80', '-p', '127.0.0.1::9/udp']
    await serve('web', ...flags)
    const [host, port] = (await ok('port', 'web', '80')).split(':')
    await expect.poll(async () => (await fetch(`http://${host}:${port}/`)).text().catch(() => ''), { timeout: 20_000 }).toBe('web\n')
    // No UDP server in busybox: what is sent must arrive at the container, where nobody listens, and be refused from there.
    const [, udp] = (await ok('port', 'web', '9/udp')).split(':')
    const socket = createSocket('udp4')
    try {
      const refused = new Promise<string>((resolve) => socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? '')))
      await new Promise<void>((resolve) => socket.connect(Number(udp), '127.0.0.1', resolve))
      const sending = setInterval(() => socket.send('hello', () => undefined), 50)
      expect(await refused).toBe('ECONNREFUSED')
      clearInterval(sending)
    } finally {
      socket.close()
    }
  })

  it('have both families when asked', async () => {
    await ok('network', 'create', '--ipv6', '--subnet', 'fd00:5117:9::/64', 'six')
    await serve('web6', '--network', 'six', '--ip6', 'fd00:5117:9::50')
    await ok('run', '-d', '--name', 'client', '--network', 'six', 'busybox', 'sleep', '1000')
    expect(await ok('inspect', '--format', '{{.NetworkSettings.Networks.six.GlobalIPv6Address}}', 'web6')).toBe('fd00:5117:9::50')
    await expect.poll(() => ask('client', '[fd00:5117:9::50]'), { timeout: 20_000 }).toBe('web6')
  })

  it('share a namespace', async () => {
    await serve('owner')
    const shared = await engine.docker([
      'run',
      '--rm',
      '--network',
      'container:owner',
      'busybox',
      'timeout',
      '3',
      'wget',
      '-q',
      '-O',
      '-',
      'http://127.0.0.1/',
    ])
    expect(shared.out.trim()).toBe('owner')
  })

  it.skipIf(isPeer)('and names stay when the daemon is killed and started again', async () => {
    await ok('network', 'create', 'kept')
    await serve('server', '--network', 'kept')
    await ok('run', '-d', '--name', 'client', '--network', 'kept', 'busybox', 'sleep', '1000')
    await engine.replace()
    await expect.poll(() => ask('client', 'server'), { timeout: 20_000 }).toBe('server')
    expect(await ok('network', 'ls', '--filter', 'name=kept', '--format', '{{.Name}}')).toBe('kept')
  })
})
