// A Debian machine in QEMU whose control groups are v2 only, as those of today's hosts are. Without KVM it is some thirty times slower.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { aptSettings, aptSources, cacheFolder } from '../../base-images/host.mjs'
import { sha256 } from '../../base-images/image.mjs'
import { StartError } from '../../start/errors.mjs'
import { run } from '../../start/run.mjs'

const RECIPE = 1 // raised when the disk's content is made differently
const SUITE = 'bookworm'
const INCLUDE = ['systemd-sysv', 'udev', 'linux-image-cloud-amd64', 'nftables', 'iproute2', 'procps', 'kmod']
const DISK_MB = 2048

/** Unpacks what the second disk brings, runs it with its words on the second serial line, and turns the machine off. */
const UNIT = `[Unit]
Description=Check of the agent
[Service]
Type=oneshot
Delegate=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'mkdir -p /opt/check && tar -xf /dev/vdb -C /opt/check && exec /opt/check/guest.sh'
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
ExecStopPost=/bin/systemctl poweroff --force
[Install]
WantedBy=multi-user.target
`

/**
 * @param {import('../../start/progress.mjs').Step} step
 * @returns {Promise<{ disk: string, kernel: string, initrd: string }>}
 */
export async function makeMachine(step) {
  const [sources, settings] = [await aptSources(SUITE), await aptSettings()]
  const folder = cacheFolder('cgroup-v2', sha256(JSON.stringify([RECIPE, SUITE, INCLUDE, sources, settings, UNIT])))
  const made = { disk: join(folder, 'disk.ext4'), kernel: join(folder, 'vmlinuz'), initrd: join(folder, 'initrd.img') }
  if (Object.values(made).every(existsSync)) return made
  mkdirSync(folder, { recursive: true })
  const work = mkdtempSync(join(folder, 'new-'))
  try {
    const root = join(work, 'root')
    const options = settings.flatMap((setting) => ['--aptopt', setting])
    await run(['mmdebstrap', '--mode=root', '--variant=minbase', `--include=${INCLUDE.join(',')}`, ...options, SUITE, root, ...sources], {
      deadlineMs: 20 * 60_000,
      onLine: step.detail,
      what: 'Making a Debian root',
      hint: 'Check that this machine reaches its Debian mirror.',
    })
    writeFileSync(join(root, 'etc/systemd/system/slipway-check.service'), UNIT)
    await run(['systemctl', `--root=${root}`, 'enable', 'slipway-check.service'], { deadlineMs: 60_000, what: 'Enabling the check' })
    writeFileSync(join(root, 'etc/fstab'), '')
    const boot = (prefix) => {
      const name = readdirSync(join(root, 'boot')).find((file) => file.startsWith(prefix))
      if (!name) throw new StartError(`Debian’s kernel package brought no ${prefix}.`)
      return join(root, 'boot', name)
    }
    step.detail('packing')
    await run(['mke2fs', '-q', '-t', 'ext4', '-d', root, join(work, 'disk.ext4'), `${DISK_MB}M`], {
      deadlineMs: 300_000,
      what: 'Making its disk',
    })
    renameSync(boot('vmlinuz-'), made.kernel)
    renameSync(boot('initrd.img-'), made.initrd)
    renameSync(join(work, 'disk.ext4'), made.disk)
    return made
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/**
 * Boots it and reads what the check says, line by line, until the machine is off.
 * @param {Awaited<ReturnType<typeof makeMachine>>} machine
 * @param {{ payload: string, work: string, kvm: boolean, deadlineMs: number, onLine: (line: string) => void }} options
 *   payload: a tar with `guest.sh`
 */
export async function boot({ disk, kernel, initrd }, { payload, work, kvm, deadlineMs, onLine }) {
  const [console, results] = [join(work, 'console.log'), join(work, 'results.log')]
  writeFileSync(results, '')
  const argv = [
    ...['-accel', kvm ? 'kvm' : 'tcg,thread=multi'],
    ...'-cpu max -smp 2 -m 2048 -nic none -display none -no-reboot'.split(' '),
    ...['-kernel', kernel, '-initrd', initrd, '-append', 'root=/dev/vda rw console=ttyS0 systemd.unified_cgroup_hierarchy=1 net.ifnames=0'],
    ...['-drive', `file=${disk},format=raw,if=virtio,snapshot=on`, '-drive', `file=${payload},format=raw,if=virtio,readonly=on`],
    ...['-serial', `file:${console}`, '-serial', `file:${results}`],
  ]
  const child = spawn('qemu-system-x86_64', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-4096)
  })
  const ended = new Promise((done, failed) => {
    child.once('error', failed)
    child.once('exit', done)
  })
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  const timer = setTimeout(end, deadlineMs)
  let [over, seen] = [false, 0]
  ended.finally(() => (over = true)).catch(() => undefined)
  const read = () => {
    const lines = readFileSync(results, 'utf8').split(/\r?\n/)
    lines.pop() // not yet whole
    for (; seen < lines.length; seen += 1) onLine(lines[seen])
  }
  while (!over) {
    read()
    await sleep(500)
  }
  const code = await ended
  read()
  clearTimeout(timer)
  process.off('exit', end)
  if (code !== 0) {
    const tail = readFileSync(console, 'utf8').split('\n').slice(-30).join('\n')
    throw new StartError(code === null ? 'The machine was not off in time.' : 'QEMU ended with a fault.', { detail: `${tail}\n${said}` })
  }
}
