/** For tests of builds: the agent's uploads and downloads on a socket, in memory. The real ones are tested with the agent. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { OBJECTS_HEAD } from '@slipway/contracts'

export interface ContextStore {
  objects: Map<string, Buffer>
  /** Of each request that brought objects: its length as it came, and the records in it. */
  requests: { bytes: number; records: string[] }[]
  /** How often it was asked what is missing. */
  asked: number
  /** Answers the next requests for objects with this status. */
  failures: number[]
  /** What it gives out of images, by path and query; each one's id is `sha256:ababab…`. */
  images: Map<string, Buffer>
  close(): Promise<void>
}

export async function startContextStore(socketPath: string): Promise<ContextStore> {
  const parts = new Map<string, Buffer>()
  const store: ContextStore = { objects: new Map(), requests: [], asked: 0, failures: [], images: new Map(), close: async () => undefined }
  const server = createServer(async (request, response) => {
    const answer = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value))
    const body = await bodyOf(request)
    const path = request.url ?? ''
    if (path.startsWith('/slipway/v1/contexts/missing')) {
      store.asked += 1
      const { trees, blobs } = JSON.parse(body.toString()) as { trees: string[]; blobs: string[] }
      const lacking = (list: string[]) => list.filter((digest) => !store.objects.has(digest))
      const partial = Object.fromEntries(blobs.flatMap((digest) => (parts.has(digest) ? [[digest, parts.get(digest)?.length]] : [])))
      return answer(200, { trees: lacking(trees), blobs: lacking(blobs), partial })
    }
    if (path.startsWith('/slipway/v1/contexts/objects')) return objects(request, body, response, answer)
    if (path.includes('/images/')) {
      const image = store.images.get(decodeURIComponent(path.replace(/^.*\/images\//, '')))
      if (!image) return answer(404, { message: 'no such image' })
      return path.endsWith('/json') ? answer(200, { Id: `sha256:${'ab'.repeat(32)}` }) : response.writeHead(200).end(image)
    }
    const tree = /contexts\/sha256:([0-9a-f]{64})\/commit/.exec(path)?.[1] ?? ''
    const missing = missingBeneath(tree)
    if (missing.trees.length + missing.blobs.length > 0) return answer(409, { missing })
    return answer(200, { entries: 1, bytes: 1 })
  })

  function objects(request: IncomingMessage, body: Buffer, _response: ServerResponse, answer: (status: number, value: unknown) => unknown) {
    const failure = store.failures.shift()
    if (failure) return answer(failure, { message: 'not now' })
    let rest = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
    if (!rest.toString('latin1').startsWith(OBJECTS_HEAD)) return answer(400, { message: 'no objects' })
    rest = rest.subarray(OBJECTS_HEAD.length)
    const records: string[] = []
    while (rest.length > 0) {
      const end = rest.indexOf('\n')
      const head = rest.subarray(0, end).toString()
      const [kind = '', digest = '', ...numbers] = head.split(' ')
      const [offset, length, size] = kind === 'part' ? numbers.map(Number) : [0, Number(numbers[0]), Number(numbers[0])]
      const content = rest.subarray(end + 1, end + 1 + (length ?? 0))
      const before = parts.get(digest) ?? Buffer.alloc(0)
      if (before.length !== offset) return answer(409, { message: `goes on at ${before.length}` })
      const whole = Buffer.concat([before, content])
      if (whole.length === size) {
        if (createHash('sha256').update(whole).digest('hex') !== digest) return answer(400, { message: 'something else' })
        store.objects.set(digest, whole)
        parts.delete(digest)
      } else parts.set(digest, whole)
      records.push(head)
      rest = rest.subarray(end + 1 + (length ?? 0))
    }
    store.requests.push({ bytes: body.length, records })
    return answer(200, { stored: 0 })
  }

  function missingBeneath(tree: string): { trees: string[]; blobs: string[] } {
    const object = store.objects.get(tree)
    if (!object) return { trees: [tree], blobs: [] }
    const all = { trees: [] as string[], blobs: [] as string[] }
    for (const [, digest = ''] of object.toString().matchAll(/(?:^|\n|\0)f \d+ \d+ ([0-9a-f]{64}) /g))
      if (!store.objects.has(digest)) all.blobs.push(digest)
    for (const [, digest = ''] of object.toString().matchAll(/(?:^|\n|\0)d \d+ ([0-9a-f]{64}) /g)) {
      const below = missingBeneath(digest)
      all.trees.push(...below.trees)
      all.blobs.push(...below.blobs)
    }
    return all
  }

  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  store.close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return store
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
