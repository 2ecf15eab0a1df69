/** For tests: servers that the cache may fetch from, and one that misbehaves as it is told. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { newId, upstreamNamespace } from '@slipway/core'
import type { Db } from '@slipway/db'
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'

/** Gives the first part of the names that lead to it. */
export async function addUpstream(
  db: Db,
  url: string,
  settings: {
    limitBytes?: number
    revalidateMinutes?: number
    allowPrivate?: boolean
    anonymous?: boolean
    username?: string
    secret?: Uint8Array<ArrayBuffer>
    id?: string
  } = {},
): Promise<string> {
  const { host } = new URL(url)
  await db.upstream.create({
    data: { id: newId('upstream'), host, url, limitBytes: 1024 ** 3, allowPrivate: true, revalidateMinutes: 0, ...settings },
  })
  return upstreamNamespace(host)
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

const PORTS = new Set<number>()

/** One image `team/app:1` and a count of what was asked. `answers` replaces what a path is answered. */
export class PlainUpstream {
  readonly asked: string[] = []
  readonly answers = new Map<string, Answer>()
  readonly layer: Buffer
  readonly layerDigest: string
  readonly config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } }))
  readonly manifest: Buffer
  readonly digest: string
  readonly #server = createServer((request, response) => this.#serve(request, response))

  constructor(layer: Buffer = Buffer.alloc(600_000, 'layer')) {
    this.layer = layer
    this.layerDigest = digestBytes(layer)
    const describe = (mediaType: string, content: Buffer) => ({ mediaType, digest: digestBytes(content), size: content.byteLength })
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe(OCI_CONFIG, this.config),
      layers: [describe(OCI_LAYER_GZIP, layer)],
    }
    this.manifest = Buffer.from(JSON.stringify(manifest))
    this.digest = digestBytes(this.manifest)
  }

  /** At a port that none had before: what is known of an upstream goes by its host and port. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const { port } = this.#server.address() as AddressInfo
    if (PORTS.has(port)) {
      await this.stop()
      return this.start()
    }
    PORTS.add(port)
    return `http://127.0.0.1:${port}`
  }

  count(method: string, part: string): number {
    return this.asked.filter((line) => line.startsWith(`${method} `) && line.includes(part)).length
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?')[0] ?? ''
    this.asked.push(`${request.method} ${path}`)
    const answer = this.answers.get(path.replace('/v2/team/app/', ''))
    if (answer) return void answer(request, response)
    const send = (content: Buffer, headers: Record<string, string>) => {
      response.writeHead(200, { 'content-length': content.byteLength, ...headers })
      response.end(request.method === 'HEAD' ? undefined : content)
    }
    if (/^\/v2\/team\/(app|other)\/manifests\/1$/.test(path) || path.endsWith(`/manifests/${this.digest}`))
      send(this.manifest, { 'content-type': OCI_MANIFEST, 'docker-content-digest': this.digest })
    else if (path.endsWith(`/blobs/${this.layerDigest}`)) send(this.layer, {})
    else if (path.endsWith(`/blobs/${digestBytes(this.config)}`)) send(this.config, {})
    else response.writeHead(404).end()
  }
}
