// Puts an OCI image together from layers, as files in one folder named by their digests, ready to be pushed. The same inputs
// give the same bytes: names sorted, owners numeric, times fixed.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { StartError } from '../start/errors.mjs'

/** What the clock says inside the images: 2025-01-01, so that a rebuild from the same sources has the same digest. */
export const SOURCE_DATE_EPOCH = 1_735_689_600

const MEDIA = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

/**
 * @typedef {{ mediaType: string, digest: string, size: number }} Descriptor
 * @typedef {{ descriptor: Descriptor, diffId: string, createdBy: string }} Layer
 * @typedef {{ folder: string, manifest: string, digest: string, blobs: Descriptor[], layers: Layer[] }} Image
 */

/** The image in that folder if it was finished, else undefined. @param {string} folder @returns {Image | undefined} */
export function readImage(folder) {
  const file = join(folder, 'image.json')
  return existsSync(file) ? { ...JSON.parse(readFileSync(file, 'utf8')), folder } : undefined
}

/**
 * Makes an image in `folder` (through a folder beside it, so that a half-made one is never found).
 * @param {string} folder
 * @param {{ layers: (folder: string) => Promise<Layer[]>, config: Record<string, unknown>, annotations: Record<string, string> }} recipe
 * @returns {Promise<Image>}
 */
export async function makeImage(folder, { layers: makeLayers, config, annotations }) {
  const fresh = `${folder}.new`
  rmSync(fresh, { recursive: true, force: true })
  mkdirSync(fresh, { recursive: true, mode: 0o700 })
  const layers = await makeLayers(fresh)
  const created = new Date(SOURCE_DATE_EPOCH * 1000).toISOString()
  const configBlob = writeBlob(fresh, MEDIA.config, {
    created,
    architecture: architecture(),
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
  })
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: configBlob,
    layers: layers.map((layer) => layer.descriptor),
    annotations: { 'org.opencontainers.image.created': created, ...annotations },
  })
  const image = { manifest, digest: sha256(manifest), blobs: [configBlob, ...layers.map((layer) => layer.descriptor)], layers }
  writeFileSync(join(fresh, 'image.json'), JSON.stringify(image))
  rmSync(folder, { recursive: true, force: true })
  renameSync(fresh, folder)
  return { ...image, folder }
}

export const blobFile = (/** @type {string} */ folder, /** @type {string} */ digest) => join(folder, digest.replace('sha256:', ''))
export const manifestType = MEDIA.manifest

/** Node's names of processors → the names images use. */
export const architecture = () =>
  ({ x64: 'amd64', arm64: 'arm64', arm: 'arm', riscv64: 'riscv64', s390x: 's390x', ppc64: 'ppc64le' })[process.arch] ?? process.arch

/** Packs a folder's content. @param {string} folder of the image @param {string} root @param {string} createdBy */
export function layerFromFolder(folder, root, createdBy) {
  const times = ['--sort=name', `--mtime=@${SOURCE_DATE_EPOCH}`, '--numeric-owner', '--owner=0', '--group=0']
  const plain = ['--format=posix', '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime']
  const child = spawn('tar', ['-C', root, ...times, ...plain, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(undefined) : reject(new StartError(`tar ended with code ${code}.`))))
  })
  return Promise.all([packLayer(folder, child.stdout, createdBy), ended]).then(([layer]) => layer)
}

/** Takes a tar file as it is. @param {string} folder @param {string} file @param {string} createdBy */
export const layerFromTar = (folder, file, createdBy) => packLayer(folder, createReadStream(file), createdBy)

/** A layer of another image, by a copy of its blob. @param {string} folder @param {Image} image @param {Layer} layer */
export async function layerFromImage(folder, image, layer) {
  await pipeline(
    createReadStream(blobFile(image.folder, layer.descriptor.digest)),
    createWriteStream(blobFile(folder, layer.descriptor.digest), { mode: 0o600 }),
  )
  return layer
}

/** @returns {Promise<Layer>} */
async function packLayer(folder, tar, createdBy) {
  const plain = createHash('sha256')
  const packed = createHash('sha256')
  const file = join(folder, 'layer.new')
  await pipeline(tar, tap(plain), createGzip({ level: 6 }), tap(packed), createWriteStream(file, { mode: 0o600 }))
  const digest = `sha256:${packed.digest('hex')}`
  const descriptor = { mediaType: MEDIA.layer, digest, size: statSync(file).size }
  renameSync(file, blobFile(folder, digest))
  return { descriptor, diffId: `sha256:${plain.digest('hex')}`, createdBy }
}

const tap = (hash) =>
  new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })

/** @returns {Descriptor} */
function writeBlob(folder, mediaType, value) {
  const text = JSON.stringify(value)
  const digest = sha256(text)
  writeFileSync(blobFile(folder, digest), text, { mode: 0o600 })
  return { mediaType, digest, size: Buffer.byteLength(text) }
}

export const sha256 = (/** @type {string | Buffer} */ content) => `sha256:${createHash('sha256').update(content).digest('hex')}`
