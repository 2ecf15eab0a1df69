// slipway.local/base/debian:bookworm, with apt that works inside builds.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../start/run.mjs'
import { aptSettings, aptSources, cacheFolder, localCertificates } from './host.mjs'
import { layerFromTar, makeImage, readImage, SOURCE_DATE_EPOCH, sha256 } from './image.mjs'
import { INPUTS_ANNOTATION } from './publish.mjs'

const RECIPE = 3 // raised when the image's content is made differently
const SUITE = 'bookworm'

/** Left out, as images do: they are read by people at machines, not by programs in containers. Licences stay. */
const PATHS = [
  '--dpkgopt=path-exclude=/usr/share/man/*',
  '--dpkgopt=path-exclude=/usr/share/info/*',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-include=/usr/share/doc/*/copyright',
]

/** What the image will be made from. @returns {Promise<{ inputs: string, sources: string[], settings: string[] }>} */
export async function debianInputs() {
  const [sources, settings] = [await aptSources(SUITE), await aptSettings()]
  return { sources, settings, inputs: sha256(JSON.stringify([RECIPE, SUITE, process.arch, sources, settings, localCertificates().digest])) }
}

/**
 * @param {Awaited<ReturnType<typeof debianInputs>>} from @param {import('../start/progress.mjs').Step} step @param {{ refresh: boolean }} options
 * @returns {Promise<import('./image.mjs').Image>}
 */
export async function makeDebian({ inputs, sources, settings }, step, { refresh }) {
  const folder = cacheFolder('debian', inputs)
  const cached = refresh ? undefined : readImage(folder)
  if (cached) return cached
  return makeImage(folder, {
    layers: async (target) => {
      const work = mkdtempSync('/tmp/slipway-debian-')
      try {
        const tar = join(work, 'root.tar')
        await bootstrap(tar, work, sources, settings, step)
        await addEmptyDev(tar, work)
        step.detail('packing')
        return [await layerFromTar(target, tar, `mmdebstrap --variant=minbase ${SUITE}`)]
      } finally {
        rmSync(work, { recursive: true, force: true })
      }
    },
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['bash'], WorkingDir: '/' },
    annotations: {
      [INPUTS_ANNOTATION]: inputs,
      'org.opencontainers.image.title': `Debian ${SUITE}`,
      'org.opencontainers.image.version': '12',
    },
  })
}

/** The folder devices are mounted over; leaving out its content leaves it out too. */
function addEmptyDev(tar, work) {
  mkdirSync(join(work, 'more/dev'), { recursive: true })
  const plain = [
    '--format=posix',
    `--mtime=@${SOURCE_DATE_EPOCH}`,
    '--numeric-owner',
    '--owner=0',
    '--group=0',
    '--mode=0755',
    '--pax-option=delete=atime,delete=ctime',
  ]
  return run(['tar', '-C', join(work, 'more'), ...plain, '-rf', tar, './dev'], {
    deadlineMs: 60_000,
    what: 'Adding /dev to the Debian image',
  })
}

async function bootstrap(tar, work, sources, settings, step) {
  const overlay = join(work, 'overlay')
  mkdirSync(join(overlay, 'etc/apt/apt.conf.d'), { recursive: true })
  mkdirSync(join(overlay, 'usr/local/share/ca-certificates'), { recursive: true })
  const conf = ['APT::Install-Recommends "false";', 'Acquire::Languages "none";', 'APT::Keep-Downloaded-Packages "false";', ...settings]
  writeFileSync(join(overlay, 'etc/apt/apt.conf.d/90slipway'), `${conf.join('\n')}\n`)
  for (const { name, content } of localCertificates().files) writeFileSync(join(overlay, 'usr/local/share/ca-certificates', name), content)
  chmodSync(work, 0o755)
  chmodSync(overlay, 0o755)
  await run(
    [
      'mmdebstrap',
      '--mode=root',
      '--variant=minbase',
      '--format=tar',
      '--include=ca-certificates',
      '--skip=output/dev', // a container gets its devices from the runtime
      ...PATHS,
      ...settings.map((line) => `--aptopt=${line}`),
      `--customize-hook=sync-in ${overlay} /`,
      '--customize-hook=chroot "$1" update-ca-certificates',
      '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/* "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/etc/machine-id',
      SUITE,
      tar,
      '-',
    ],
    {
      input: `${sources.join('\n')}\n`,
      env: { ...process.env, SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH) },
      deadlineMs: 15 * 60_000,
      onLine: step.detail,
      what: 'Making the Debian image',
      hint: 'Check that this machine reaches its Debian mirror, then run npm run base-images again.',
    },
  )
}
