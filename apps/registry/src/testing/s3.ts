/** For tests: a real S3 server over a folder of its own, with a bucket in it. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort } from '@slipway/testing'
import { buildS3Server } from '../../../../infra/conformance/s3/build.mjs'
import type { S3Options } from '../store/s3-bucket'

export interface S3Server {
  endpoint: string
  port: number
  /** Files of the bucket's objects lie beneath. */
  folder: string
  /** Options for a store in its bucket. Each call: a prefix of its own. */
  options(more?: Partial<S3Options>): S3Options
  /** The same as environment of a registry process. */
  env(more?: Record<string, string>): Record<string, string>
  stop(): Promise<void>
}

const BUCKET = 'blobs'

export async function startS3Server(): Promise<S3Server> {
  const program = await buildS3Server({ detail: () => undefined })
  const folder = await mkdtemp(path.join(tmpdir(), 'slipway-s3-'))
  const [access, secret] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')]
  const credentialsFile = path.join(folder, 'credentials')
  await writeFile(credentialsFile, `[default]\naws_access_key_id = ${access}\naws_secret_access_key = ${secret}\n`, { mode: 0o600 })
  const objects = path.join(folder, 'objects')
  // A folder is a bucket; its keys and owners lie in extended attributes, or beside where a file system has none.
  for (const name of [path.join(objects, BUCKET), path.join(folder, 'meta')]) await mkdir(name, { recursive: true })
  const port = await freePort()
  const argv = ['--port', `127.0.0.1:${port}`, '--quiet', '--health', '/health', 'posix', '--sidecar', path.join(folder, 'meta'), objects]
  const child = spawn('/usr/bin/setpriv', ['--pdeathsig=KILL', '--', program, ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ROOT_ACCESS_KEY: access, ROOT_SECRET_KEY: secret },
  })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-10_000)))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const endpoint = `http://127.0.0.1:${port}`
  for (const deadline = Date.now() + 20_000; ; await new Promise((r) => setTimeout(r, 30))) {
    if ((await fetch(`${endpoint}/health`).catch(() => undefined))?.ok) break
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the S3 server did not start:\n${said}`)
  }
  let prefixes = 0
  return {
    endpoint,
    port,
    folder: path.join(objects, BUCKET),
    options: (more) => ({
      endpoint,
      bucket: BUCKET,
      prefix: `${prefixes++}/`,
      region: 'us-east-1',
      pathStyle: true,
      credentialsFile,
      ...more,
    }),
    env: (more) => ({
      SLIPWAY_REGISTRY_STORE: 's3',
      SLIPWAY_REGISTRY_S3_ENDPOINT: endpoint,
      SLIPWAY_REGISTRY_S3_BUCKET: BUCKET,
      SLIPWAY_REGISTRY_S3_PREFIX: `process-${prefixes++}`,
      SLIPWAY_REGISTRY_S3_PATH_STYLE: 'true',
      SLIPWAY_REGISTRY_S3_CREDENTIALS_FILE: credentialsFile,
      ...more,
    }),
    async stop() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}
