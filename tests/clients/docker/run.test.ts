/** `docker run` with each of its flags, seen from inside the container. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useEngine } from './engine'

const engine = useEngine()

/** Output of a command in a fresh container. */
const run = (flags: string[], ...command: string[]) => engine.ok(['run', '--rm', ...flags, 'busybox', ...command])
const sh = (flags: string[], script: string) => run(flags, 'sh', '-c', script)
const refused = async (flags: string[], ...command: string[]) => {
  const result = await engine.docker(['run', '--rm', ...flags, 'busybox', ...(command.length > 0 ? command : ['true'])])
  expect(result.code).toBeGreaterThan(0)
  return result
}

describe('the process', () => {
  it('takes environment, folder, user and groups', async () => {
    const file = join(engine.files, 'env')
    writeFileSync(file, '# a comment\nFROM_FILE=1\nHOST_VALUE\n')
    const out = await sh(['-e', 'A=x y', '--env', 'B=', '--env-file', file, '-w', '/made/deep'], 'env; pwd')
    expect(out).toMatch(/^A=x y$/m)
    expect(out).toMatch(/^B=$/m)
    expect(out).toMatch(/^FROM_FILE=1$/m)
    expect(out).toMatch(/^\/made\/deep$/m)
    expect(await run(['-u', 'app', '--group-add', 'more', '--group-add', '77'], 'id')).toBe(
      'uid=1000(app) gid=1001(app) groups=77,1001(app),2000(more)',
    )
    expect(await run(['-u', '7:8'], 'id')).toBe('uid=7 gid=8 groups=8')
    expect((await refused(['-u', 'nobody-here'])).err).toContain('unable to find user nobody-here')
  })

  it('takes an entrypoint, and ends with the command’s code', async () => {
    expect(await run(['--entrypoint', 'echo'], 'from', 'echo')).toBe('from echo')
    expect((await engine.docker(['run', '--rm', 'busybox', 'sh', '-c', 'exit 42'])).code).toBe(42)
    const missing = await refused([], 'no-such-program')
    expect([missing.code, missing.err]).toEqual([127, expect.stringMatching(/executable file not found in \$PATH/)])
    const folder = await refused([], '/etc')
    expect([folder.code, folder.err]).toEqual([126, expect.stringMatching(/permission denied|is a directory/)])
    expect((await engine.docker(['run', '--rm', '--init', 'busybox', 'sh', '-c', 'kill -9 $$'])).code).toBe(137)
  })

  it('reads stdin to its end', async () => {
    expect(await engine.ok(['run', '--rm', '-i', 'busybox', 'wc', '-c'], { stdin: 'x'.repeat(200_000) })).toBe('200000')
    const parts = await engine.docker(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2'])
    expect(parts).toEqual({ code: 0, out: 'out\n', err: 'err\n' })
  })

  it('reaps orphans with --init and forwards signals', async () => {
    expect(await sh(['--init'], 'cat /proc/1/cmdline | tr "\\0" " "')).not.toMatch(/^sh /)
    await engine.ok([
      'run',
      '-d',
      '--init',
      '--name',
      'with-init',
      'busybox',
      'sh',
      '-c',
      'trap "exit 5" TERM; while :; do sleep 0.1; done',
    ])
    await engine.ok(['stop', 'with-init'])
    expect(await engine.ok(['inspect', '--format', '{{.State.ExitCode}}', 'with-init'])).toBe('5')
    await engine.ok(['rm', 'with-init'])
  })

  it('stops with the signal and the patience that were asked for', async () => {
    const script = 'trap "exit 9" USR1; trap "" TERM; while :; do sleep 0.1; done'
    await engine.ok(['run', '-d', '--name', 'signal', '--stop-signal', 'SIGUSR1', '--stop-timeout', '30', 'busybox', 'sh', '-c', script])
    await engine.ok(['stop', 'signal'])
    expect(await engine.ok(['inspect', '--format', '{{.State.ExitCode}} {{.Config.StopTimeout}}', 'signal'])).toBe('9 30')
    await engine.ok(['rm', 'signal'])
  })
})

describe('names and network files', () => {
  it('takes a hostname, hosts and resolvers', async () => {
    const flags = [
      '--hostname',
      'box',
      '--add-host',
      'db:10.9.8.7',
      '--dns',
      '10.1.1.1',
      '--dns-search',
      'example.org',
      '--dns-option',
      'ndots:2',
    ]
    const out = await sh(flags, 'hostname; cat /etc/hosts /etc/resolv.conf')
    expect(out).toMatch(/^box$/m)
    expect(out).toMatch(/^10\.9\.8\.7\s+db$/m)
    expect(out).toMatch(/^nameserver 10\.1\.1\.1$/m)
    expect(out).toMatch(/^search example\.org$/m)
    expect(out).toMatch(/ndots:2/)
  })

  it('has no network with none, and the host’s with host', async () => {
    expect(await sh(['--network', 'none'], 'ip -o link | wc -l')).toBe('1')
    expect(await run(['--network', 'host'], 'readlink', '/proc/self/ns/net')).toBe(
      await run(['--network', 'host'], 'readlink', '/proc/1/ns/net'),
    )
  })

  it('publishes ports on the host', async () => {
    await engine.ok([
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '127.0.0.1::80',
      '-p',
      '127.0.0.1::81/udp',
      '--expose',
      '90',
      'busybox',
      'httpd',
      '-f',
      '-h',
      '/etc',
    ])
    const address = await engine.ok(['port', 'web', '80'])
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    await expect.poll(async () => (await fetch(`http://${address}/passwd`).catch(() => null))?.status, { timeout: 20_000 }).toBe(200)
    const taken = await refused(['-p', `${address}:80`])
    expect(taken.code).toBe(125)
    expect(taken.err).toMatch(/port is already allocated|address already in use/)
    await engine.ok(['rm', '-f', 'web'])
  })
})

describe('files', () => {
  it('mounts binds, volumes and tmpfs, writable or not', async () => {
    writeFileSync(join(engine.files, 'note'), 'from the host')
    expect(await run(['-v', `${engine.files}:/data:ro`], 'cat', '/data/note')).toBe('from the host')
    expect((await refused(['-v', `${engine.files}:/data:ro`], 'touch', '/data/x')).err).toContain('Read-only file system')
    expect(await run(['--mount', `type=bind,source=${engine.files},target=/d,readonly`], 'cat', '/d/note')).toBe('from the host')
    await run(['-v', 'kept:/kept'], 'touch', '/kept/file')
    expect(await run(['--mount', 'type=volume,source=kept,target=/again'], 'ls', '/again')).toBe('file')
    expect(await sh(['--tmpfs', '/scratch:size=1m,mode=1770'], 'stat -c %a /scratch; df -k /scratch | tail -1')).toMatch(
      /^1770\n\S+\s+1024 /,
    )
    expect((await refused(['--mount', 'type=bind,source=/no/such/folder,target=/d'])).err).toMatch(/bind source path does not exist/)
    await engine.ok(['volume', 'rm', 'kept'])
  })

  it('has a read-only root when asked, with what it needs writable', async () => {
    expect((await refused(['--read-only'], 'touch', '/x')).err).toContain('Read-only file system')
    expect(await sh(['--read-only', '--tmpfs', '/run'], 'touch /run/x /dev/shm/y && echo fine')).toBe('fine')
    expect(await sh(['--shm-size', '2m'], 'df -k /dev/shm | tail -1')).toMatch(/\s2048 /)
  })
})

describe('limits and rights', () => {
  it('limits memory, processors, processes and files', async () => {
    const id = await engine.ok([
      ...['run', '-d', '--memory', '64m', '--memory-swap', '64m', '--cpus', '0.5', '--cpu-shares', '512', '--cpuset-cpus', '0'],
      ...['--pids-limit', '50', '--ulimit', 'nofile=100:200', 'busybox', 'sleep', '1000'],
    ])
    const format =
      '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}} {{.HostConfig.PidsLimit}}'
    expect(await engine.ok(['inspect', '--format', format, id])).toBe('67108864 500000000 512 0 50')
    expect(await engine.ok(['exec', id, 'sh', '-c', 'ulimit -n; ulimit -Hn; nproc'])).toBe('100\n200\n1')
    await engine.ok(['rm', '-f', id])
    const greedy = await engine.docker([
      'run',
      '--name',
      'greedy',
      '--memory',
      '16m',
      '--memory-swap',
      '16m',
      'busybox',
      'sh',
      '-c',
      'x=a; while :; do x=$x$x; done',
    ])
    expect(greedy.code).toBe(137)
    expect(await engine.ok(['inspect', '--format', '{{.State.OOMKilled}}', 'greedy'])).toBe('true')
    await engine.ok(['rm', 'greedy'])
    expect((await refused(['--memory', '1m'])).err).toContain('Minimum memory limit allowed is 6MB')
  })

  it('adds, drops and denies rights', async () => {
    const effective = 'grep CapEff /proc/self/status'
    expect(await sh([], effective)).toMatch(/00000000a80425fb$/)
    expect(await sh(['--cap-drop', 'ALL'], effective)).toMatch(/0000000000000000$/)
    expect(await sh(['--cap-drop', 'ALL', '--cap-add', 'NET_ADMIN'], effective)).toMatch(/0000000000001000$/)
    expect(await sh(['--security-opt', 'no-new-privileges'], 'grep NoNewPrivs /proc/self/status')).toMatch(/1$/)
    expect(await sh([], 'grep Seccomp: /proc/self/status')).toMatch(/2$/)
    expect(await sh(['--security-opt', 'seccomp=unconfined'], 'grep Seccomp: /proc/self/status')).toMatch(/0$/)
    expect(await run(['--sysctl', 'net.ipv4.ip_unprivileged_port_start=80'], 'cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe(
      '80',
    )
    await refused(['--sysctl', 'kernel.panic=1'])
    expect(await sh(['--privileged'], 'test -e /dev/loop-control -o -e /dev/mem -o -e /dev/kmsg && echo devices')).toBe('devices')
  })
})

describe('users', () => {
  it('gives one container users of its own, and keeps its files as they are', async () => {
    const remapped = ['--security-opt', 'userns=remap']
    const map = async (flags: string[]) => (await run(flags, 'cat', '/proc/self/uid_map')).split(/\s+/).filter(Boolean)
    expect(Number((await map(remapped))[1])).toBeGreaterThan(65_535)
    expect((await map(['--userns', 'host']))[1]).toBe('0')
    const script = 'id -u; touch /data/mine; chown 7:8 /data/mine; echo x > /dev/null; ping -c 1 -W 5 localhost > /dev/null && echo fine'
    expect(await sh([...remapped, '-v', 'users:/data'], script)).toBe('0\nfine')
    expect(await run(['-v', 'users:/data'], 'stat', '-c', '%u:%g', '/data/mine')).toBe('7:8')
    const together = await refused([...remapped, '--privileged'])
    expect(together.err).toContain('privileged mode is incompatible with user namespaces')
    await engine.ok(['volume', 'rm', 'users'])
  })
})
