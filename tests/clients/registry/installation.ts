/** A registry process with accounts, a work folder, and an image to push. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { createTestDatabase, type TestDatabase } from '@slipway/testing'
import { newKeyPem, type People, seedAccounts } from '../../../apps/registry/src/testing/fixture'
import { type RegistryProcess, spawnRegistry, writeKey } from '../../../apps/registry/src/testing/process'

const run = promisify(execFile)

export interface Installation {
  database: TestDatabase
  registry: RegistryProcess
  people: People
  folder: string
  /** `127.0.0.1:<port>` */
  host: string
  close(): Promise<void>
}

/** `env`: more settings of the registry. */
export async function startInstallation(env: Record<string, string> = {}): Promise<Installation> {
  const database = await createTestDatabase()
  const folder = await mkdtemp(path.join(tmpdir(), 'slipway-clients-'))
  await writeKey(folder, newKeyPem())
  const people = await seedAccounts(database.db)
  const registry = await spawnRegistry({ databaseUrl: database.url, data: folder, env })
  return {
    database,
    registry,
    people,
    folder,
    host: `127.0.0.1:${registry.port}`,
    async close() {
      await registry.end('SIGTERM')
      await database.drop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Runs a client; rejects with its stderr in the message. */
export async function client(command: string, ...argv: string[]): Promise<string> {
  const { stdout } = await run(command, argv, { timeout: 60_000, maxBuffer: 16 * 1024 * 1024 })
  return stdout
}

/** An OCI layout with one image of one file, as `skopeo copy oci:<folder>:<tag>` reads it. */
export async function writeImage(folder: string, tag: string, text: string): Promise<string> {
  const files = path.join(folder, 'rootfs')
  await mkdir(files, { recursive: true })
  await writeFile(path.join(files, 'hello.txt'), text)
  await client('tar', '-C', files, '-cf', path.join(folder, 'layer.tar'), 'hello.txt')
  const { stdout: tar } = await run('cat', [path.join(folder, 'layer.tar')], { encoding: 'buffer', maxBuffer: 1024 ** 2 })
  return writeLayout(folder, tag, async (blob) => {
    const layer = await blob(gzipSync(tar))
    const config = await blob(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Cmd: ['/hello.txt'] },
        rootfs: { type: 'layers', diff_ids: [digestBytes(tar)] },
        history: [{ created: '2026-11-20T00:00:00Z', created_by: 'COPY hello.txt /' }],
      }),
    )
    return {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, ...config },
      layers: [{ mediaType: OCI_LAYER_GZIP, ...layer }],
    }
  })
}

type Blob = (content: Buffer | string) => Promise<{ digest: string; size: number }>

/** An OCI layout with the one manifest that `make` gives; its digest. */
export async function writeLayout(folder: string, tag: string, make: (blob: Blob) => Promise<object>): Promise<string> {
  await mkdir(path.join(folder, 'blobs/sha256'), { recursive: true })
  const blob: Blob = async (content) => {
    const digest = digestBytes(content)
    await writeFile(path.join(folder, 'blobs', digest.replace(':', '/')), content)
    return { digest, size: Buffer.byteLength(content) }
  }
  const manifest = await blob(JSON.stringify(await make(blob)))
  await writeFile(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const entry = { mediaType: OCI_MANIFEST, ...manifest, annotations: { 'org.opencontainers.image.ref.name': tag } }
  await writeFile(path.join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] }))
  return manifest.digest
}
