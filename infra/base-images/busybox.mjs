// slipway.local/base/busybox: one static program under many names. Made at the first start, so that the example application
// builds at once.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { findProgram } from '../start/checks.mjs'
import { StartError } from '../start/errors.mjs'
import { run } from '../start/run.mjs'
import { cacheFolder, localCertificates } from './host.mjs'
import { layerFromFolder, makeImage, readImage, sha256 } from './image.mjs'
import { INPUTS_ANNOTATION, isPublished, publish } from './publish.mjs'

const RECIPE = 1 // raised when the image's content is made differently

export const ALREADY_THERE = 'already there'

const FILES = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/profile': 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
}

/**
 * @param {{ settings: import('../start/settings.mjs').Settings, databaseUrl: string, step: import('../start/progress.mjs').Step }} context
 * @returns {Promise<string>} what was done
 */
export async function ensureBusybox({ settings, databaseUrl, step }) {
  const from = busyboxInputs()
  if (await isPublished(databaseUrl, 'busybox', 'latest', from.inputs)) return ALREADY_THERE
  const { version, ...image } = await makeBusybox(from, step)
  step.detail('publishing')
  await publish(settings, 'busybox', ['latest', version], image)
  return `busybox ${version}`
}

/** What the image will be made from. */
function busyboxInputs() {
  const program = staticBusybox()
  return { program, inputs: sha256(`${RECIPE} ${sha256(readFileSync(program))} ${localCertificates().digest}`) }
}

/** The image by itself, from the cache if it is there. @param {import('../start/progress.mjs').Step} step */
export const busyboxImage = (step) => makeBusybox(busyboxInputs(), step)

/** @param {ReturnType<typeof busyboxInputs>} from @param {import('../start/progress.mjs').Step} step */
async function makeBusybox({ program, inputs }, step) {
  const folder = cacheFolder('busybox', inputs)
  step.detail('packing')
  const version = (await run([program], { deadlineMs: 10_000, what: 'busybox' })).match(/BusyBox v([\d.]+)/)?.[1] ?? 'unknown'
  const image =
    readImage(folder) ??
    (await makeImage(folder, {
      layers: async (target) => [await withRoot(program, (root) => layerFromFolder(target, root, `COPY busybox ${version} /`))],
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['sh'], WorkingDir: '/' },
      annotations: {
        [INPUTS_ANNOTATION]: inputs,
        'org.opencontainers.image.title': 'busybox',
        'org.opencontainers.image.version': version,
      },
    }))
  return { ...image, version }
}

/** One that runs without the libraries of this machine: ELF without an interpreter. */
function staticBusybox() {
  const program = findProgram('busybox')
  if (!program || readFileSync(program).subarray(0, 4096).includes('/ld-linux')) {
    throw new StartError('The base image needs a busybox that is linked statically.', {
      hint: 'Install it. On Debian: apt-get install busybox-static',
    })
  }
  return program
}

async function withRoot(program, work) {
  const root = mkdtempSync('/tmp/slipway-base-')
  try {
    for (const folder of [
      'bin',
      'sbin',
      'usr/bin',
      'usr/sbin',
      'etc',
      'dev',
      'proc',
      'sys',
      'home',
      'srv',
      'var/run',
      'var/log',
      'usr/local/bin',
    ]) {
      mkdirSync(join(root, folder), { recursive: true })
    }
    mkdirSync(join(root, 'root'), { mode: 0o700 })
    for (const folder of ['tmp', 'var/tmp']) {
      mkdirSync(join(root, folder))
      chmodSync(join(root, folder), 0o1777)
    }
    chmodSync(root, 0o755)
    copyFileSync(program, join(root, 'bin/busybox'))
    chmodSync(join(root, 'bin/busybox'), 0o755)
    const names = await run([program, '--list-full'], { deadlineMs: 10_000, what: 'busybox --list-full' })
    for (const name of names.split('\n').filter((line) => /^[\w./[-]+$/.test(line) && !line.includes('..'))) {
      const link = join(root, name)
      mkdirSync(dirname(link), { recursive: true })
      if (!existsSync(link) && !isLink(link)) symlinkSync('/bin/busybox', link)
    }
    for (const [file, content] of Object.entries(FILES)) writeFileSync(join(root, file), content)
    const { bundle } = localCertificates()
    if (bundle) {
      mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true })
      writeFileSync(join(root, 'etc/ssl/certs/ca-certificates.crt'), bundle)
    }
    return await work(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const isLink = (file) => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
