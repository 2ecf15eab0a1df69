/** `slipway build`: files are uploaded by what is missing of them, then a build of them is queued like any other. */
import { Readable } from 'node:stream'
import { AppError, newId } from '@slipway/core'
import { updateApp } from '@slipway/db'
import { loadApp } from '../apps/load'
import { audit } from '../audit'
import type { Deps } from '../deps'
import { assertMay } from '../roles'
import type { BuildsService, ContextsService } from '../services'
import { announceBuild, insertBuild } from './create'
import { optionsColumn, sealUpload } from './upload-options'

/** Packed, as it is sent; the command line sends less at a time. */
const MAX_PACKED = 64 * 1024 * 1024
const UPLOAD_MS = 10 * 60_000

export const createContexts = (deps: Deps): ContextsService => ({
  async missing(scope, { trees, blobs }) {
    assertMay(scope, 'change')
    return deps.agent.contexts.missing(scope.organizationId, { trees, blobs })
  },
  async send(scope, body, encoding, signal) {
    assertMay(scope, 'change')
    if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'zstd')
      throw new AppError({ kind: 'bad-input', code: 'ENCODING_UNKNOWN', message: 'Pack the objects with gzip or zstd, or not at all.' })
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_MS)])
    return deps.agent.contexts.send(scope.organizationId, Readable.from(limited(body)), encoding, deadline)
  },
})

async function* limited(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size > MAX_PACKED) throw new AppError({ kind: 'too-large', code: 'BODY_TOO_LARGE', message: 'Send at most 64 MiB at a time.' })
    yield chunk
  }
}

export const uploadMethod =
  (deps: Deps): BuildsService['upload'] =>
  async (scope, input) => {
    assertMay(scope, 'change')
    const app = await loadApp(deps.db, scope, input.app)
    if (app.source === 'image')
      throw new AppError({
        kind: 'conflict',
        code: 'APP_RUNS_AN_IMAGE',
        message: 'This app runs an image from a registry and is not built here. Give the build an app of its own with --app.',
      })
    const { organizationId } = scope
    const named = Object.values(input.contexts).flatMap((given) => ('tree' in given ? [given.tree] : []))
    for (const tree of [input.tree, ...named]) await commit(deps, organizationId, tree)
    const id = newId('build')
    const secrets = sealUpload(deps.sealer, { id, organizationId }, { buildArgs: input.buildArgs, secrets: input.secrets })
    const options = optionsColumn({
      tree: input.tree,
      dockerfilePath: input.dockerfile.path,
      origin: input.dockerfile.origin ?? { kind: 'repository', stack: [], evidence: [] },
      ignore: input.ignore,
      target: input.target ?? null,
      contexts: input.contexts,
      platforms: input.platforms ?? null,
      push: input.push || input.deploy,
      tag: input.tag,
      ssh: { by: scope.actor.userId, ids: [...new Set(input.ssh)] },
      form: input.form ?? null,
    })
    const created = await deps.db.$transaction(async (tx) => {
      const build = await insertBuild(tx, app, {
        id,
        trigger: 'upload',
        actorLabel: scope.actor.label,
        branch: null,
        noCache: input.noCache,
        upload: { options, secrets, dockerfile: input.dockerfile.text, deploys: input.deploy },
      })
      if (input.deploy) await updateApp(tx, organizationId, app.id, { desiredState: 'running' })
      await audit(tx, scope, 'build.upload', { type: 'app', id: app.id, label: app.name }, { number: build.number, deploy: input.deploy })
      return build
    })
    await announceBuild(deps, app, created)
    return { app: app.slug, number: created.number }
  }

async function commit(deps: Deps, organizationId: string, tree: string): Promise<void> {
  const outcome = await deps.agent.contexts.commit(organizationId, tree)
  if ('missing' in outcome)
    throw new AppError({
      kind: 'conflict',
      code: 'CONTEXT_INCOMPLETE',
      message: 'Files of the build context are not on the server any more. Send them again.',
      details: { missing: outcome.missing },
    })
}
