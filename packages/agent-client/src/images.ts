import type { Readable } from 'node:stream'
import { AppError } from '@slipway/core'
import type Docker from 'dockerode'
import { agentError, engineCode } from './errors'

/** One line of Docker's progress stream. */
export interface ImageProgress {
  id?: string
  status?: string
  progressDetail?: { current?: number; total?: number }
  error?: string
  errorDetail?: { message: string; code?: number }
  aux?: { Digest?: string; Size?: number; BytesSent?: number }
}

/** `X-Registry-Auth` for a bearer token that Slipway signed itself; empty for registries of others. */
export const tokenAuth = (token: string | undefined) =>
  token ? { authconfig: { registrytoken: token } as unknown as Docker.AuthConfig } : {}

export interface PullOptions {
  /** As `docker pull --platform`; default: the engine's own. */
  platform?: string
  /** The name goes on to mean what it meant; the image is found as `name@digest` of the last progress line. */
  unnamed?: boolean
}

/** Pulls `reference`; progress lines go to `onProgress`. The error sentence is the engine's. */
export async function pullImage(
  docker: Docker,
  reference: string,
  token: string | undefined,
  signal: AbortSignal,
  onProgress?: (line: ImageProgress) => void,
  { platform, unnamed }: PullOptions = {},
): Promise<void> {
  try {
    const options = { ...tokenAuth(token), ...(platform && { platform }), ...(unnamed && { unnamed: '1' }), abortSignal: signal }
    const stream = (await docker.pull(reference, options)) as unknown as Readable
    await drain(stream, signal, onProgress, 'IMAGE_PULL_FAILED')
  } catch (error) {
    throw signal.aborted ? signal.reason : agentError(error, `pull ${reference}`)
  }
}

/** Pushes a local image to the registry in its name; resolves to the manifest's digest there, and the bytes that moved. */
export async function pushImage(
  docker: Docker,
  reference: string,
  token: string | undefined,
  signal: AbortSignal,
  onProgress?: (line: ImageProgress) => void,
): Promise<{ digest: string | null; bytesSent: number | null }> {
  let digest: string | null = null
  let bytesSent: number | null = null
  try {
    const stream = (await docker.getImage(reference).push({ ...tokenAuth(token), abortSignal: signal })) as unknown as Readable
    await drain(
      stream,
      signal,
      (line) => {
        digest = line.aux?.Digest ?? digest
        bytesSent = line.aux?.BytesSent ?? bytesSent
        onProgress?.(line)
      },
      'IMAGE_PUSH_FAILED',
    )
  } catch (error) {
    throw signal.aborted ? signal.reason : agentError(error, `push ${reference}`)
  }
  return { digest, bytesSent }
}

async function drain(
  stream: Readable,
  signal: AbortSignal,
  onProgress: ((line: ImageProgress) => void) | undefined,
  code: string,
): Promise<void> {
  const stop = () => stream.destroy(new Error('aborted'))
  signal.addEventListener('abort', stop, { once: true })
  try {
    let rest = ''
    for await (const chunk of stream) {
      rest += chunk
      const parts = rest.split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) read(part)
    }
    read(rest)
  } finally {
    signal.removeEventListener('abort', stop)
  }

  function read(text: string): void {
    if (text.trim() === '') return
    const line = JSON.parse(text) as ImageProgress
    if (line.error ?? line.errorDetail) {
      const status = line.errorDetail?.code
      throw new AppError({
        kind: 'unavailable',
        code: engineCode(status, code),
        message: line.errorDetail?.message ?? line.error ?? 'The registry refused.',
        details: { engineCode: status },
      })
    }
    onProgress?.(line)
  }
}
