/** Takes: a build that succeeded, and what `-o` asked for. Gives: its image in files of this machine. */
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { formatBytes } from '@slipway/core'
import { CliError, EXIT, unreachable } from '../errors'
import { type Answer, request } from '../http'
import { grouped, plain } from '../output'
import type { Session } from '../session'
import { extractTree } from './extract'
import type { Output } from './parse'

interface Built {
  org: string
  app: string
  number: number
  /** Of a build for several; else none. */
  platforms: string[]
  /** What an archive calls the image. */
  name: string
}

export async function writeOutputs(session: Session, built: Built, outputs: readonly Output[], signal: AbortSignal): Promise<void> {
  for (const output of outputs) {
    if (output.type === 'local') await writeFolders(session, built, resolve(output.dest), signal)
    else if (output.type !== 'registry') await writeTar(session, built, output.type, output.dest, signal)
  }
}

/** As buildx: several platforms each in a folder of its own (`linux_arm64`). */
async function writeFolders(session: Session, built: Built, dest: string, signal: AbortSignal): Promise<void> {
  const each = built.platforms.length > 1 ? built.platforms : [undefined]
  for (const platform of each) {
    const folder = platform === undefined ? dest : join(dest, platform.replaceAll('/', '_'))
    const { files, bytes, skipped } = await extractTree(await open(session, built, { kind: 'files', platform }, signal), folder)
    const left = skipped > 0 ? `; ${skipped} devices and pipes left out` : ''
    session.note(`Wrote ${grouped(files)} files, ${formatBytes(bytes)}, to ${plain(folder)}${left}.`)
  }
}

async function writeTar(session: Session, built: Built, type: 'tar' | 'oci' | 'docker', dest: string, signal: AbortSignal): Promise<void> {
  if (type === 'tar' && built.platforms.length > 1)
    throw new CliError(EXIT.usage, 'USAGE', 'type=tar holds one platform.', 'Use type=local or type=oci, or build for one platform.')
  const stream = await open(session, built, type === 'tar' ? { kind: 'files' } : { kind: type, name: built.name }, signal)
  if (dest === '-') return session.io.outStream(stream)
  const path = resolve(dest)
  // Whoever finds the file finds all of it.
  const part = `${path}.${process.pid}.part`
  await mkdir(dirname(path), { recursive: true })
  try {
    await pipeline(stream, createWriteStream(part, { flags: 'wx' }), { signal })
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
  session.note(`Wrote ${plain(path)}.`)
}

async function open(
  session: Session,
  { org, app, number }: Built,
  asked: { kind: 'files' | 'oci' | 'docker'; platform?: string; name?: string },
  signal: AbortSignal,
): Promise<Readable> {
  const { url, apiKey } = await session.connect()
  const { kind, platform, name } = asked
  const query = new URLSearchParams({ org, app, number: String(number), kind, ...(platform && { platform }), ...(name && { name }) })
  let answer: Answer
  try {
    answer = await request(`${url}/api/builds/output?${query}`, { headers: { authorization: `Bearer ${apiKey}` }, signal })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw unreachable(url, error)
  }
  if (answer.ok) return answer.body
  const message = plain((await answer.text().catch(() => '')).slice(0, 2000)).trim()
  const exit = answer.status === 404 ? EXIT.notFound : answer.status === 401 || answer.status === 403 ? EXIT.auth : EXIT.failed
  throw new CliError(exit, 'OUTPUT_FAILED', message || `The server answered ${answer.status} to a download.`)
}
