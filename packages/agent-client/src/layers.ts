import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { MAX_LAYER_LISTING } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { agentError } from './errors'

/** Layers whose blobs lie elsewhere; see `packages/contracts/src/agent/layer-listing.ts`. */
export interface AgentLayers {
  /**
   * The listing of a layer, packed with gzip. `LAYER_REFUSED` when the layer itself cannot be read, now or ever; anything else
   * may pass. A blob that breaks off throws what broke it.
   */
  listing(blob: Readable, signal: AbortSignal): Promise<Buffer>
  /** The content of one file. The stream ends with an error when it breaks off; destroying it ends the work. */
  file(blob: Readable, entry: number, signal: AbortSignal): Promise<Readable>
}

const MAX_REFUSAL = 8192
/** Between two pieces of an answer. */
const SILENCE_MS = 120_000

export function createLayers(socketPath: string): AgentLayers {
  return {
    async listing(blob, signal) {
      const response = await post(socketPath, '/slipway/v1/layers/listing', blob, signal, 'list the layer')
      return whole(response, MAX_LAYER_LISTING, 'list the layer')
    },
    file: (blob, entry, signal) => post(socketPath, `/slipway/v1/layers/file?entry=${entry}`, blob, signal, 'read a file of the layer'),
  }
}

function post(socketPath: string, path: string, blob: Readable, signal: AbortSignal, doing: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let broken: unknown
    const fail = (error: unknown) => {
      blob.destroy()
      reject(signal.aborted ? signal.reason : (broken ?? agentError(error, doing)))
    }
    const headers = { host: 'agent', 'content-type': 'application/octet-stream' }
    const request = httpRequest({ socketPath, method: 'POST', path, headers, signal }, (response) => {
      // The answer may be complete before the blob is: then nothing more of it is wanted.
      response.once('close', () => {
        blob.destroy()
        request.destroy()
      })
      if (response.statusCode === 200) {
        response.setTimeout(SILENCE_MS, () => response.destroy(new Error('the agent was silent for two minutes')))
        return resolve(response)
      }
      const { statusCode } = response
      whole(response, MAX_REFUSAL, doing).then((body) => {
        const json = refusal(body.toString('utf8'))
        const error = agentError(Object.assign(new Error(json.message), { statusCode, json }), doing)
        fail(statusCode === 422 ? layerRefused(json.message, error) : error)
      }, fail)
    })
    request.on('error', fail)
    blob.on('error', (error) => {
      broken = error
    })
    pipeline(blob, request).catch((error) => request.destroy(error as Error))
  })
}

const layerRefused = (why: string, cause: unknown) =>
  new AppError({ kind: 'bad-input', code: 'LAYER_REFUSED', message: `This layer cannot be looked into: ${why}.`, cause })

async function whole(response: Readable, limit: number, doing: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > limit) throw new Error(`an answer of more than ${limit} bytes`)
    }
  } catch (error) {
    throw agentError(error, doing)
  }
  return Buffer.concat(chunks)
}

function refusal(text: string): { message: string } {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return { message: typeof message === 'string' ? message : text }
  } catch {
    return { message: text }
  }
}
