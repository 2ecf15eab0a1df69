/** A BuildKit newer than Debian's, from a folder with its `buildkitd` and `buildctl`; runc is the machine's. */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import tar from 'tar-stream'
import { CLEAN_PATH } from '../docker/daemons'
import { onBase, writeContext } from './builders'
import type { Case } from './case'
import { archivedImage, type Image } from './image'

export interface NewerBuildKit {
  build(test: Case): Promise<Image | { refused: string }>
  stop(): Promise<void>
}

/** `archive`: the bases, as `baseArchive` writes them. */
export async function startNewerBuildKit(programs: string, folder: string, archive: string): Promise<NewerBuildKit> {
  const address = `unix://${join(folder, 'buildkitd.sock')}`
  const worker = ['--oci-worker=true', '--containerd-worker=false', '--oci-worker-snapshotter=overlayfs', '--oci-worker-net=host']
  const child = spawn(
    'unshare',
    ['--net', '--', join(programs, 'buildkitd'), '--root', join(folder, 'buildkitd'), '--addr', address, ...worker],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: CLEAN_PATH } },
  )
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-8192)
  })
  const call = (args: string[]) => run(join(programs, 'buildctl'), ['--addr', address, ...args])
  for (const deadline = Date.now() + 60_000; (await call(['debug', 'workers'])).failed; await sleep(200)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`buildkitd did not come up:\n${log}`)
  }
  const layout = join(folder, 'bases')
  const bases = await ociLayout(archive, layout)
  let number = 0

  async function build(test: Case, made: Map<string, string>): Promise<{ tar: string; layout: string } | { refused: string }> {
    const name = `newer-${++number}`
    const context = join(folder, name)
    if (test.base !== undefined) {
      const base = await build({ name: `base of ${test.name}`, dockerfile: test.base }, made)
      if ('refused' in base) throw new Error(`the base of ${test.name} was not built: ${base.refused}`)
      return await build(onBase(test, `base-${number}`), new Map([...made, [`base-${number}`, await layoutOf(base.tar, base.layout)]]))
    }
    await writeContext(context, test)
    const out = join(folder, `${name}.tar`)
    const args = ['build', '--frontend', 'dockerfile.v0', '--local', `context=${context}`, '--local', `dockerfile=${context}`]
    for (const [key, value] of Object.entries(test.buildArgs ?? {})) args.push('--opt', `build-arg:${key}=${value}`)
    if (test.target !== undefined) args.push('--opt', `target=${test.target}`)
    args.push('--oci-layout', `bases=${layout}`, '--output', `type=docker,name=${name},dest=${out}`, '--progress=plain')
    for (const [base, digest] of bases) args.push('--opt', `context:${base}=oci-layout://bases@${digest}`)
    for (const [base, path] of made) {
      const [from = '', digest = ''] = path.split('@')
      args.push('--oci-layout', `${base}=${from}`, '--opt', `context:${base}=oci-layout://${base}@${digest}`)
    }
    const { failed, output } = await call(args)
    rmSync(context, { recursive: true, force: true })
    return failed ? { refused: output.slice(-2000) } : { tar: out, layout: join(folder, `${name}-layout`) }
  }

  return {
    async build(test) {
      const built = await build(test, new Map())
      return 'refused' in built ? built : await archivedImage(readFileSync(built.tar), test.name)
    },
    async stop() {
      const gone = new Promise((done) => child.once('close', done))
      if (child.exitCode === null && child.kill('SIGTERM')) await gone
    },
  }
}

const run = (program: string, args: string[]) =>
  new Promise<{ failed: boolean; output: string }>((done) => {
    execFile(program, args, { env: { PATH: CLEAN_PATH }, timeout: 120_000, maxBuffer: 16 << 20 }, (error, out, err) => {
      done({ failed: error !== null, output: `${out}${err}` })
    })
  })

async function filesOf(archive: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  const extract = tar.extract()
  Readable.from([archive]).pipe(extract)
  for await (const entry of extract) files.set(entry.header.name, await buffer(entry))
  return files
}

const descriptor = (mediaType: string, data: Buffer) => ({
  mediaType: `application/vnd.oci.image.${mediaType}`,
  digest: `sha256:${createHash('sha256').update(data).digest('hex')}`,
  size: data.length,
})

/** The images of a docker archive as an OCI layout; gives the digest of each name. */
async function ociLayout(archive: string, folder: string): Promise<Map<string, string>> {
  const files = await filesOf(readFileSync(archive))
  const read = (name: string) => files.get(name) ?? Buffer.alloc(0)
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true })
  const write = (mediaType: string, data: Buffer) => {
    const made = descriptor(mediaType, data)
    writeFileSync(join(folder, 'blobs/sha256', made.digest.slice('sha256:'.length)), data)
    return made
  }
  const digests = new Map<string, string>()
  const manifests = []
  for (const { Config, RepoTags, Layers } of JSON.parse(read('manifest.json').toString()) as DockerManifest[]) {
    const layers = Layers.map((layer) => write('layer.v1.tar', read(layer)))
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = { schemaVersion: 2, mediaType, config: write('config.v1+json', read(Config)), layers }
    const made = write('manifest.v1+json', Buffer.from(JSON.stringify(manifest)))
    manifests.push(made)
    for (const tag of RepoTags ?? []) digests.set(tag.replace(/:latest$/, ''), made.digest)
  }
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  return digests
}

interface DockerManifest {
  Config: string
  RepoTags: string[] | null
  Layers: string[]
}

/** `folder@digest` of what BuildKit wrote, which is an OCI layout too. */
async function layoutOf(archive: string, folder: string): Promise<string> {
  const files = await filesOf(readFileSync(archive))
  for (const [name, data] of files) {
    if (name.endsWith('/')) continue
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), data)
  }
  const index = JSON.parse((files.get('index.json') ?? Buffer.alloc(0)).toString()) as { manifests: { digest: string }[] }
  return `${folder}@${index.manifests[0]?.digest}`
}
