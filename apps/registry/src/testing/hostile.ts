/** For the tables of what means harm: a registry with one image, and whether it is as well after them as before. */
import { readdir } from 'node:fs/promises'
import { expect } from 'vitest'
import { type Fixture, type PushedImage, startFixture } from './fixture'
import { type RawAnswer, sendRaw } from './raw'

export const NAME = 'acme/hostile'
export const LAYER = 'layer one'

export interface Hostile {
  f: Fixture
  token: string
  image: PushedImage
  /** One request with a good token, its line ended by the answer. */
  ask(method: string, url: string, headers?: readonly string[], body?: string | Buffer): Promise<RawAnswer>
  /** Whatever was sent: the service is well, serves what it served, and has no file, row or property more than before. */
  close(): Promise<void>
}

export async function startHostile(): Promise<Hostile> {
  const f = await startFixture({ maxBlobBytes: 1024 * 1024, patience: { headersMs: 2000, slowest: { windowMs: 1000, bytes: 1 } } })
  const image = await f.push(NAME, 'v1', [LAYER])
  const token = await f.sign([{ type: 'repository', name: NAME, actions: ['pull', 'push', 'delete'] }])
  return {
    f,
    token,
    image,
    ask(method, url, headers = [], body = '') {
      const lines = [`${method} ${url} HTTP/1.1`, 'Host: x', 'Connection: close', `Authorization: Bearer ${token}`, ...headers, '', '']
      return sendRaw(f.base, Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), Buffer.from(body)]))
    },
    async close() {
      expect(await (await f.call('GET', `/v2/${NAME}/manifests/v1`)).text()).toBe(image.manifest)
      expect(await (await f.call('GET', `/v2/${NAME}/blobs/${image.layers[0]}`)).text()).toBe(LAYER)
      expect((await (await f.call('GET', `/v2/${NAME}/tags/list`)).json()).tags).toEqual(['v1'])
      expect((await readdir(f.root)).sort()).toEqual(['blobs', 'quarantine', 'repositories', 'uploads'])
      expect(await f.db.repository.count()).toBe(1)
      expect(Object.keys(Object.prototype)).toEqual([])
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
      await f.close()
    },
  }
}

export const refused = ({ status, codes, body }: RawAnswer) => {
  expect(body).not.toMatch(/prisma|postgres|node_modules|at .*\.(?:js|ts):\d|ENOENT|\/tmp\//i)
  return [status, codes[0]]
}
