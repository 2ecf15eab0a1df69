import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { ImageArchiveFormat } from '@slipway/contracts'
import { agentError } from './errors'

/** Layers may have to be written anew before the first byte comes; afterwards it is the longest silence. */
const SILENCE_MS = 300_000
const MAX_REFUSAL = 8192

/**
 * An image of the agent as a tar; see `packages/contracts/src/agent/image-output.ts`. `name`: what an archive calls it; `platform`: whose files, of
 * an index. The stream ends with an error when it breaks off; destroying it, or aborting `signal`, ends the work on the agent.
 */
export type ImageOutput = { kind: 'archive'; format: ImageArchiveFormat; name?: string } | { kind: 'files'; platform?: string }

export function imageOutput(socketPath: string, reference: string, output: ImageOutput, signal: AbortSignal): Promise<Readable> {
  const { kind, ...given } = output
  const query = `?${new URLSearchParams(Object.entries(given).filter(([, value]) => value !== undefined))}`.replace(/\?$/, '')
  const path = `/slipway/v1/images/${encodeURIComponent(reference)}/${kind}${query}`
  const doing = `give out the image ${reference}`
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(signal.aborted ? signal.reason : agentError(error, doing))
    const request = httpRequest({ socketPath, path, headers: { host: 'agent' }, signal, timeout: SILENCE_MS }, (response) => {
      if (response.statusCode === 200) return resolve(response)
      refusal(response).then(
        (message) => fail(Object.assign(new Error(message), { statusCode: response.statusCode })),
        (error) => fail(error),
      )
    })
    request.on('timeout', () => request.destroy(new Error('the agent was silent for five minutes')))
    request.on('error', fail)
    request.end()
  })
}

async function refusal(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) {
    text += chunk
    if (text.length > MAX_REFUSAL) break
  }
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    return text
  }
}
