import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** `docker load` without a docker: gives the archive to the engine of a socket. Throws with its answer when it does not take all of it. */
export async function loadImages(socketPath: string, archive: AsyncIterable<unknown>): Promise<void> {
  const headers = { host: 'engine', 'content-type': 'application/x-tar' }
  const answered = new Promise<string>((resolve, reject) => {
    const call = request({ socketPath, method: 'POST', path: '/images/load', headers })
    call.once('error', reject).once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => resolve(`${response.statusCode} ${text}`))
    })
    pipeline(Readable.from(archive), call).catch(reject)
  })
  const answer = await answered
  if (!answer.startsWith('200') || answer.includes('"error"')) throw new Error(`the images were not loaded: ${answer.slice(0, 1000)}`)
}
