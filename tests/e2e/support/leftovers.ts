import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Everything on this machine that belongs to an installation: processes, mounts, bridges, nftables tables, cgroups. */
export function leftovers(data: string, instance: string): string[] {
  const found: string[] = []
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      const cwd = readlinkSync(`/proc/${pid}/cwd`)
      if (command.includes(data) || cwd.startsWith(data)) found.push(`process ${pid}: ${command}`)
    } catch {
      // It ended while we looked.
    }
  }
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) if (line.includes(data)) found.push(`mount ${line}`)
  for (const name of readdirSync('/sys/class/net')) if (name.includes(instance)) found.push(`interface ${name}`)
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8', env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' } })
  for (const table of tables.split('\n')) if (table.includes(instance)) found.push(`nftables ${table}`)
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const point = / - cgroup2? /.test(line) ? line.split(' ')[4] : undefined
    if (!point) continue
    for (const path of cgroups(point)) if (path.includes(instance)) found.push(`cgroup ${path}`)
  }
  return found
}

function cgroups(root: string, depth = 2): string[] {
  if (depth === 0) return []
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => [`${root}/${entry.name}`, ...cgroups(`${root}/${entry.name}`, depth - 1)])
}
