import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { imageOutput } from './image-output'

function serve(listener: RequestListener): string {
  const dir = mkdtempSync(join(tmpdir(), 'image-output-'))
  const socket = join(dir, 's')
  const server = createServer(listener).listen(socket)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
    rmSync(dir, { recursive: true })
  })
  return socket
}
const signal = new AbortController().signal

it('asks by one percent-encoded segment and streams the answer', async () => {
  const asked: (string | undefined)[] = []
  const socket = serve((request, response) => {
    asked.push(request.url)
    response.end('tar')
  })
  const reference = 'slipway.local/acme/app@sha256:0'
  const archive = await imageOutput(socket, reference, { kind: 'archive', format: 'oci', name: 'a/b:1' }, signal)
  expect((await archive.toArray()).join('')).toBe('tar')
  await (await imageOutput(socket, reference, { kind: 'files' }, signal)).toArray()
  const segment = 'slipway.local%2Facme%2Fapp%40sha256%3A0'
  expect(asked).toEqual([`/slipway/v1/images/${segment}/archive?format=oci&name=a%2Fb%3A1`, `/slipway/v1/images/${segment}/files`])
})

it("keeps the engine's sentence, and never takes a part for all of it", async () => {
  const socket = serve((request, response) => {
    if (request.url?.endsWith('/files')) {
      response.write('half')
      setTimeout(() => response.destroy(), 20)
    } else {
      response.statusCode = 404
      response.end('{"message":"no such image"}')
    }
  })
  await expect(imageOutput(socket, 'x', { kind: 'archive', format: 'docker' }, signal)).rejects.toMatchObject({
    kind: 'not-found',
    message: 'The host could not give out the image x: no such image',
  })
  const files = await imageOutput(socket, 'x', { kind: 'files' }, signal)
  await expect(files.toArray()).rejects.toThrow('aborted')
  await expect(imageOutput('/nonexistent', 'x', { kind: 'files' }, signal)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' })
})
