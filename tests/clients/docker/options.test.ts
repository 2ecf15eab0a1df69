/** The flags of `docker run` that are kept by the engine or the kernel: read back from where they take effect. */
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { useEngine } from './engine'

const engine = useEngine()

const ok = (...args: string[]) => engine.ok(args)
const run = (flags: string[], ...command: string[]) => ok('run', '--rm', ...flags, 'busybox', ...command)
const sh = (flags: string[], script: string) => run(flags, 'sh', '-c', script)
const background = (name: string, flags: string[], script = 'sleep 1000') =>
  ok('run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script)
const field = (name: string, format: string) => ok('inspect', '--format', format, name)
const refused = async (...args: string[]) => {
  const result = await engine.docker(args)
  expect(result.code).toBe(125)
  return result.err
}

describe('limits', () => {
  it('are those of the control group', async () => {
    const flags = ['--memory', '64m', '--memory-swap', '128m', '--memory-reservation', '32m', '--pids-limit', '33']
    const script = `cd /sys/fs/cgroup
      if [ -e memory.max ]; then cat memory.max memory.low pids.max; else
      cat memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes pids/pids.max; fi`
    expect(await sh(flags, script)).toBe('67108864\n33554432\n33')
    const cpu = `cd /sys/fs/cgroup; if [ -e cpu.max ]; then cat cpu.max; else echo $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us); fi`
    expect(await sh(['--cpus', '0.5'], cpu)).toBe('50000 100000')
    expect(await sh(['--cpu-quota', '20000', '--cpu-period', '40000'], cpu)).toBe('20000 40000')
    expect(await sh(['--cpuset-cpus', '0'], 'grep Cpus_allowed_list /proc/self/status')).toMatch(/\t0$/)
    // Shares have another scale on v2: 512 of 1024 are a weight of 20.
    const shares = 'cd /sys/fs/cgroup; cat cpu.weight 2>/dev/null || cat cpu/cpu.shares'
    expect(await sh(['--cpu-shares', '512'], shares)).toMatch(/^(512|20)$/)
  })

  it('are those of the process', async () => {
    const limits = 'grep -E "core|processes" /proc/self/limits | tr -s " "'
    expect(await sh(['--ulimit', 'core=0', '--ulimit', 'nproc=90:91'], limits)).toMatch(/^Max core file size 0 0 .*\nMax processes 90 91 /)
    expect(await run(['--oom-score-adj', '500'], 'cat', '/proc/self/oom_score_adj')).toBe('500')
  })

  it('that make no sense are refused with the reason', async () => {
    const busybox = ['busybox', 'true']
    expect(await refused('run', '--memory', '64m', '--memory-swap', '32m', ...busybox)).toMatch(
      /memoryswap limit should be larger than memory/i,
    )
    expect(await refused('run', '--cpus', '4096', ...busybox)).toMatch(/range of CPUs is from 0\.01 to/i)
    expect(await refused('run', '--cpuset-cpus', '4095', ...busybox)).toMatch(/requested CPUs are not available/i)
    expect(await refused('run', '--cpus', '1', '--cpu-quota', '1000', ...busybox)).toMatch(/conflicting options/i)
    expect(await refused('run', '--rm', '--restart', 'always', ...busybox)).toMatch(/conflicting options/i)
    expect(await refused('run', '--restart', 'sometimes', ...busybox)).toMatch(/invalid restart policy/i)
    expect(await refused('run', '--cap-add', 'NET_NONSENSE', ...busybox)).toMatch(/invalid.*NET_NONSENSE/i)
    expect(await refused('run', '--pull', 'never', 'nothing-of-that-name')).toMatch(/no such image/i)
  })
})

describe('namespaces of the host', () => {
  it.each(['pid', 'ipc', 'uts'])('are joined when asked: %s', async (kind) => {
    const own = readlinkSync(`/proc/self/ns/${kind}`)
    expect(await run([`--${kind}`, 'host'], 'readlink', `/proc/self/ns/${kind}`)).toBe(own)
    expect(await run([], 'readlink', `/proc/self/ns/${kind}`)).not.toBe(own)
  })

  it('bring the host’s name with them, and no memory is shared with none', async () => {
    expect(await run(['--uts', 'host'], 'hostname')).toBe(hostname())
    expect(await sh(['--hostname', 'box', '--domainname', 'example.org'], 'hostname; cat /proc/sys/kernel/domainname')).toBe(
      'box\nexample.org',
    )
    expect(await sh(['--ipc', 'none'], 'grep -c " /dev/shm " /proc/mounts || true')).toBe('0')
  })

  it('are hidden where they would tell too much, unless unconfined', async () => {
    const covered = 'grep -c " /proc/" /proc/mounts || true'
    expect(Number(await sh([], covered))).toBeGreaterThan(5)
    expect(await sh(['--security-opt', 'systempaths=unconfined'], covered)).toBe('0')
  })
})

describe('what outlasts the program', () => {
  it('is begun again as often as was asked for, and the log of all runs is one', async () => {
    await background('failing', ['--restart', 'on-failure:2'], 'echo run; exit 3')
    await expect
      .poll(() => field('failing', '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}'), { timeout: 60_000 })
      .toBe('2 exited 3')
    expect(await ok('logs', 'failing')).toBe('run\nrun\nrun')
    await background('always', ['--restart', 'always'], 'exit 0')
    await expect.poll(async () => Number(await field('always', '{{.RestartCount}}')), { timeout: 60_000 }).toBeGreaterThan(1)
    await ok('stop', '-t', '0', 'always')
    expect(await field('always', '{{.State.Status}}')).toBe('exited')
  })

  it('keeps no more of the log than was asked for, and the newest', async () => {
    await background('talker', ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=2'], 'seq 1 5000')
    expect(await ok('wait', 'talker')).toBe('0')
    await expect.poll(async () => await ok('logs', '--tail', '1', 'talker')).toBe('5000')
    const lines = (await ok('logs', 'talker')).split('\n').map(Number)
    expect(lines.length).toBeLessThan(1500)
    expect(lines).toEqual(lines.map((_, at) => 5001 - lines.length + at))
    expect(await refused('run', '--log-opt', 'max-size=lots', 'busybox', 'true')).toMatch(/lots/)
    expect(await refused('run', '--log-opt', 'nonsense=1', 'busybox', 'true')).toMatch(/unknown log opt 'nonsense'/)
    await background('mute', ['--log-driver', 'none'], 'echo unheard')
    expect((await engine.docker(['logs', 'mute'])).err).toMatch(/does not support reading/)
  })

  it('is looked after by the health check’s flags', async () => {
    const check = ['--health-interval', '100ms', '--health-retries', '2']
    await background('slow', [...check, '--health-cmd', 'sleep 100', '--health-timeout', '200ms'])
    await expect.poll(() => field('slow', '{{.State.Health.Status}}'), { timeout: 60_000 }).toBe('unhealthy')
    expect(await field('slow', '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')).toMatch(
      /^-1 Health check exceeded timeout/,
    )
    await background('young', [...check, '--health-cmd', 'echo not yet; false', '--health-start-period', '1h'])
    await expect.poll(async () => Number(await field('young', '{{len .State.Health.Log}}')), { timeout: 60_000 }).toBeGreaterThan(3)
    expect(await field('young', '{{.State.Health.Status}} {{.State.Health.FailingStreak}}')).toBe('starting 0')
    await background('unwatched', ['--no-healthcheck'])
    expect(await field('unwatched', '{{.Config.Healthcheck.Test}} {{.State.Health}}')).toMatch(/^\[NONE\] (<nil>|<no value>)$/)
  })
})

describe('names and files', () => {
  it('reach the engine from files and the client’s environment', async () => {
    const labels = join(engine.files, 'labels')
    const id = join(engine.files, 'id')
    writeFileSync(labels, 'of=file\n')
    await background('marked', ['--label-file', labels, '--label', 'empty', '--cidfile', id])
    expect(readFileSync(id, 'utf8')).toBe(await field('marked', '{{.Id}}'))
    expect(await field('marked', '{{.Config.Labels.of}} [{{.Config.Labels.empty}}]')).toBe('file []')
    expect(await run(['-e', 'HOME', '-e', 'NOT_SET_ANYWHERE'], 'env')).toMatch(new RegExp(`^HOME=${engine.env.HOME}$`, 'm'))
    expect(await refused('run', '--name', 'marked', 'busybox', 'true')).toMatch(/name "\/marked" is already in use/)
  })

  it('expose ports, and publish all that are exposed', async () => {
    await background('open', ['--expose', '90', '--expose', '91/udp', '-P'])
    expect(await field('open', '{{range $port, $_ := .Config.ExposedPorts}}{{$port}} {{end}}')).toBe('90/tcp 91/udp')
    expect(await ok('port', 'open')).toMatch(/90\/tcp -> 0\.0\.0\.0:\d+[\s\S]*91\/udp -> 0\.0\.0\.0:\d+/)
  })

  it('mount what another has, what is in memory, and what the image had there', async () => {
    await background('owner', ['-v', 'shared:/shared', '-v', '/own'], 'echo kept > /shared/file; echo mine > /own/file; sleep 1000')
    await expect.poll(() => run(['--volumes-from', 'owner:ro'], 'cat', '/shared/file', '/own/file')).toBe('kept\nmine')
    expect((await engine.docker(['run', '--rm', '--volumes-from', 'owner:ro', 'busybox', 'touch', '/own/x'])).err).toMatch(/Read-only/)
    expect(await sh(['--mount', 'type=tmpfs,target=/m,tmpfs-size=1048576,tmpfs-mode=1700'], 'stat -c %a /m; df -k /m | tail -1')).toMatch(
      /^1700\n\S+\s+1024 /,
    )
    expect(await run(['-v', 'copied:/etc'], 'cat', '/etc/group')).toMatch(/^app:/m)
    expect(await sh(['--mount', 'type=volume,source=bare,target=/home/app,volume-nocopy'], 'ls /home/app')).toBe('')
    await ok('rm', '-f', '-v', 'owner')
    await ok('volume', 'rm', 'shared', 'copied', 'bare')
    expect(await ok('volume', 'ls', '-q')).toBe('')
  })

  it('allow devices of a kind by rule, and dial the way to the host', async () => {
    const made = await engine.docker([
      'run',
      '--rm',
      '--device-cgroup-rule',
      'c 1:11 w',
      'busybox',
      'sh',
      '-c',
      'mknod /k c 1 11 && : > /k',
    ])
    expect(made).toMatchObject({ code: 0 })
    const other = await engine.docker(['run', '--rm', 'busybox', 'sh', '-c', 'mknod /k c 1 11 && : > /k'])
    expect(other.err).toMatch(/not permitted/)
    expect(await sh(['--add-host', 'up:host-gateway'], 'grep up /etc/hosts; ip route | grep default')).toMatch(
      /^([\d.]+)\s+up\ndefault via \1 /,
    )
  })
})
