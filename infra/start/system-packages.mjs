// Programs of the distribution that Slipway uses. On Debian and its children missing ones are installed; elsewhere they are
// named. When all are there nothing is asked of apt or the network.
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { findProgram } from './checks.mjs'
import { StartError } from './errors.mjs'
import { run } from './run.mjs'

/** program (or file) that must exist → Debian package that brings it */
export const RUNTIME_PACKAGES = [
  { needs: 'redis-server', package: 'redis-server', service: 'redis-server' },
  { needs: 'caddy', package: 'caddy', service: 'caddy' },
  { needs: 'git', package: 'git' },
  { needs: 'ssh', package: 'openssh-client' },
  { needs: 'busybox', package: 'busybox-static' },
  { needs: 'nft', package: 'nftables' },
  { needs: 'ip', package: 'iproute2' },
  { needs: 'mount', package: 'mount' },
  { needs: 'cc', package: 'gcc' },
  { needs: '/usr/include/stdio.h', package: 'libc6-dev' },
  { needs: '/etc/ssl/certs/ca-certificates.crt', package: 'ca-certificates' },
  { needs: 'useradd', package: 'passwd' },
]

const POLICY = '/usr/sbin/policy-rc.d'

/** @param {typeof RUNTIME_PACKAGES} packages */
export const missingPackages = (packages) =>
  packages.filter(({ needs }) => (needs.startsWith('/') ? !existsSync(needs) : !findProgram(needs)))

/** Whether apt-get installs packages here, from the text of /etc/os-release. */
export function isDebianLike(/** @type {string} */ osRelease) {
  const value = (key) => osRelease.match(new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm'))?.[1] ?? ''
  return [value('ID'), ...value('ID_LIKE').split(' ')].includes('debian')
}

/**
 * @param {typeof RUNTIME_PACKAGES} packages @param {import('./progress.mjs').Step} step @param {{ install: boolean }} options
 * @returns {Promise<string>} what was done, for the step's line
 */
export async function ensurePackages(packages, step, { install }) {
  const missing = missingPackages(packages)
  if (missing.length === 0) return 'all there'
  const names = [...new Set(missing.map((entry) => entry.package))]
  const osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  if (!isDebianLike(osRelease) || !install) {
    throw new StartError(`These programs are missing: ${missing.map((entry) => entry.needs).join(', ')}.`, {
      hint: `Install them with your package manager, then run npm start again. On Debian: apt-get install --no-install-recommends ${names.join(' ')}`,
    })
  }
  await withServicesKeptOff(missing, () => aptInstall(names, step))
  const still = missingPackages(missing)
  if (still.length > 0) {
    throw new StartError(
      `apt installed ${names.join(', ')}, but these are still missing: ${still.map((entry) => entry.needs).join(', ')}.`,
      {
        hint: 'Check that /usr/bin and /usr/sbin are on the PATH.',
      },
    )
  }
  return `installed ${names.join(', ')}`
}

async function aptInstall(names, step) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const hint = 'Check this machine’s package sources and network, then run npm start again.'
  const install = () =>
    run(['apt-get', 'install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...names], {
      env,
      deadlineMs: 15 * 60_000,
      onLine: step.detail,
      uninterruptible: true,
      what: `Installing ${names.join(', ')}`,
      hint,
    })
  const update = () =>
    run(['apt-get', 'update', '-o', 'DPkg::Lock::Timeout=120'], {
      env,
      deadlineMs: 5 * 60_000,
      onLine: step.detail,
      what: 'apt-get update',
      hint,
    })
  // A fresh machine has no lists yet, an old one stale ones; both show as a failed first try.
  try {
    await install()
  } catch {
    await update()
    await install()
  }
}

/**
 * Debian starts a service as soon as its package is installed, and again at boot. Slipway runs its own Redis and Caddy, and a
 * system one would take ports 6379, 80 and 2019 unasked. Services that were there before are not touched.
 */
async function withServicesKeptOff(missing, work) {
  const ours = !existsSync(POLICY)
  if (ours) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { flag: 'wx' })
    chmodSync(POLICY, 0o755)
  }
  try {
    await work()
  } finally {
    if (ours) rmSync(POLICY, { force: true })
  }
  const services = missing.flatMap((entry) => entry.service ?? [])
  if (services.length > 0 && existsSync('/run/systemd/system')) {
    await run(['systemctl', 'disable', '--now', ...services], {
      deadlineMs: 60_000,
      what: `Keeping ${services.join(' and ')} from starting at boot`,
    })
  }
}
