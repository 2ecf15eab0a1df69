import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

/** Megabytes of files in each layer: one large below, smaller ones above, as images of applications are. */
const LAYERS_MB = [110, 80, 50, 25, 12]
const SOURCES = ['/usr/lib', '/usr/share']

export interface Layer {
  file: string
  digest: string
  size: number
  diffId: string
}

export interface TestImage {
  layers: Layer[]
  config: Buffer
  /** Of all files, uncompressed. */
  megabytes: number
}

/** A root file system of one static busybox under the names that are used here, as a tar. */
export function busyboxTar(folder: string): string {
  const root = join(folder, 'busybox')
  mkdirSync(join(root, 'bin'), { recursive: true })
  for (const name of ['etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(join(root, name))
  copyFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(), join(root, 'bin/busybox'))
  for (const name of ['true', 'sleep', 'sh', 'httpd', 'cat']) symlinkSync('busybox', join(root, 'bin', name))
  execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, '.'])
  return `${root}.tar`
}

/** An image of this machine's own libraries and documents: real names, real sizes, real compressibility. Gzip layers. */
export async function realImage(folder: string, layersMb: readonly number[] = LAYERS_MB): Promise<TestImage> {
  const files = realFiles()
  const layers: Layer[] = []
  let bytes = 0
  for (const [i, megabytes] of layersMb.entries()) {
    const names: string[] = []
    let size = 0
    while (size < megabytes * 1e6) {
      const next = files.next()
      if (next.done) break
      names.push(next.value.slice(1))
      size += statSync(next.value).size
    }
    bytes += size
    layers.push(await packLayer(join(folder, `layer-${i}`), names))
  }
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Cmd: ['true'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
  }
  return { layers, config: Buffer.from(JSON.stringify(config)), megabytes: Math.round(bytes / 1e6) }
}

function* realFiles(): Generator<string> {
  const pending = [...SOURCES].reverse()
  for (let path = pending.pop(); path; path = pending.pop()) {
    const stat = lstatSync(path)
    if (stat.isDirectory())
      pending.push(
        ...readdirSync(path)
          .sort()
          .reverse()
          .map((name) => join(path as string, name)),
      )
    // Huge files say little about unpacking.
    else if (stat.isFile() && stat.nlink === 1 && stat.size < 30e6) yield path
  }
}

async function packLayer(path: string, names: string[]): Promise<Layer> {
  writeFileSync(`${path}.list`, names.join('\0'))
  const tar = spawn('tar', ['-C', '/', '--null', '-T', `${path}.list`, '-cf', '-'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [plain, packed] = [createHash('sha256'), createHash('sha256')]
  tar.stdout.on('data', (chunk: Buffer) => plain.update(chunk))
  const gzip = createGzip({ level: 6, chunkSize: 1 << 18 })
  gzip.on('data', (chunk: Buffer) => packed.update(chunk))
  await pipeline(tar.stdout, gzip, createWriteStream(`${path}.tgz`))
  return {
    file: `${path}.tgz`,
    digest: `sha256:${packed.digest('hex')}`,
    size: statSync(`${path}.tgz`).size,
    diffId: `sha256:${plain.digest('hex')}`,
  }
}

/** Puts the image into a registry, by the distribution-spec and without any engine. */
export async function publish(host: string, repository: string, image: TestImage): Promise<void> {
  const config = { digest: `sha256:${createHash('sha256').update(image.config).digest('hex')}`, size: image.config.length }
  await putBlob(host, repository, config.digest, config.size, image.config)
  for (const layer of image.layers) await putBlob(host, repository, layer.digest, layer.size, createReadStream(layer.file))
  const kind = 'application/vnd.docker'
  const manifest = {
    schemaVersion: 2,
    mediaType: `${kind}.distribution.manifest.v2+json`,
    config: { mediaType: `${kind}.container.image.v1+json`, ...config },
    layers: image.layers.map(({ digest, size }) => ({ mediaType: `${kind}.image.rootfs.diff.tar.gzip`, digest, size })),
  }
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/latest`, {
    method: 'PUT',
    headers: { 'content-type': manifest.mediaType },
    body: JSON.stringify(manifest),
  })
  if (answer.status !== 201) throw new Error(`the registry refused the manifest: ${answer.status} ${await answer.text()}`)
}

async function putBlob(
  host: string,
  repository: string,
  digest: string,
  size: number,
  body: Buffer | NodeJS.ReadableStream,
): Promise<void> {
  const start = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const url = new URL(start.headers.get('location') ?? '', `http://${host}`)
  url.searchParams.set('digest', digest)
  const options = {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
    body,
    duplex: 'half',
  }
  const answer = await fetch(url, options as unknown as RequestInit)
  if (answer.status !== 201) throw new Error(`the registry refused a blob: ${answer.status} ${await answer.text()}`)
}
