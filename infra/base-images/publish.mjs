// Pushes an image to this installation's registry, with a token signed for exactly that repository.
import { createPrivateKey, randomUUID, sign } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../start/errors.mjs'
import { call } from '../start/http.mjs'
import { withClient } from '../start/parts/postgres.mjs'
import { blobFile, manifestType } from './image.mjs'

/** Where base images are: slipway.local/base/… (BASE_ORGANIZATION of packages/contracts). */
const ORGANIZATION = 'base'
/** Annotation that says what an image was made from, so that a second run can tell that nothing changed. */
export const INPUTS_ANNOTATION = 'dev.slipway.base.inputs'

const UPLOAD_DEADLINE_MS = 5 * 60_000

/**
 * Whether that tag is published and was made from the same inputs.
 * @param {string} databaseUrl @param {string} name @param {string} tag @param {string} inputs
 */
export function isPublished(databaseUrl, name, tag, inputs) {
  return withClient({ connectionString: databaseUrl, connectionTimeoutMillis: 10_000 }, async (client) => {
    const { rowCount } = await client.query(
      `SELECT 1 FROM "Tag" tag JOIN "Manifest" manifest ON manifest.id = tag."manifestId"
       JOIN "Repository" repository ON repository.id = tag."repositoryId" JOIN "Organization" organization ON organization.id = repository."organizationId"
       WHERE organization.slug = $1 AND repository.name = $2 AND tag.name = $3 AND manifest.annotations ->> $4 = $5`,
      [ORGANIZATION, name, tag, INPUTS_ANNOTATION, inputs],
    )
    return rowCount === 1
  })
}

/**
 * @param {{ ports: { registry: number }, paths: { secrets: string } }} settings
 * @param {string} name @param {string[]} tags @param {import('./image.mjs').Image} image
 */
export async function publish({ ports, paths }, name, tags, image) {
  const repository = `${ORGANIZATION}/${name}`
  const authorization = `Bearer ${token(paths, repository, ['pull', 'push'])}`
  const ask = (options) => call({ port: ports.registry, ...options, headers: { authorization, ...options.headers } })
  for (const { digest, size } of image.blobs) {
    const there = await ask({ method: 'HEAD', path: `/v2/${repository}/blobs/${digest}` })
    if (there.status === 200) continue
    const begun = expect(
      await ask({ method: 'POST', path: `/v2/${repository}/blobs/uploads/` }),
      202,
      `Starting an upload to ${repository}`,
    )
    const location = new URL(begun.headers.location ?? '', 'http://registry')
    location.searchParams.set('digest', digest)
    const done = await ask({
      method: 'PUT',
      path: location.pathname + location.search,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
      body: createReadStream(blobFile(image.folder, digest)),
      deadlineMs: UPLOAD_DEADLINE_MS,
    })
    expect(done, 201, `Uploading ${digest} to ${repository}`)
  }
  for (const tag of tags) {
    const done = await ask({
      method: 'PUT',
      path: `/v2/${repository}/manifests/${tag}`,
      headers: { 'content-type': manifestType },
      body: image.manifest,
    })
    expect(done, 201, `Publishing ${repository}:${tag}`)
  }
}

/**
 * Has the agent pull an image that it does not hold, so that `docker run` on its socket finds it.
 * @param {{ paths: { secrets: string, agentSocket: string } }} settings @param {string} name @param {string} tag @param {{ again: boolean }} options
 */
export async function ensureInAgent({ paths }, name, tag, { again }) {
  const repository = `${ORGANIZATION}/${name}`
  const image = `slipway.local/${repository}`
  const ask = (options) => call({ socketPath: paths.agentSocket, ...options, headers: { host: 'localhost', ...options.headers } })
  if (!again && (await ask({ path: `/images/${image}:${tag}/json` })).status === 200) return
  const auth = Buffer.from(JSON.stringify({ registrytoken: token(paths, repository, ['pull']) })).toString('base64url')
  const done = expect(
    await ask({
      method: 'POST',
      path: `/images/create?fromImage=${encodeURIComponent(image)}&tag=${tag}`,
      headers: { 'x-registry-auth': auth },
      deadlineMs: UPLOAD_DEADLINE_MS,
    }),
    200,
    `Pulling ${image}:${tag}`,
  )
  // A pull that fails on the way says so in its stream, after the status.
  const failed = done.body.split('\n').find((line) => line.includes('"error"'))
  if (failed) throw new StartError(`The agent could not pull ${image}:${tag}.`, { detail: failed })
}

function expect(answer, status, what) {
  if (answer.status === status) return answer
  throw new StartError(`${what} failed with status ${answer.status}.`, {
    detail: answer.body,
    hint: 'registry.log and agent.log in the data folder say why.',
  })
}

/** As signRegistryToken of packages/oci, without packages: an EdDSA JWT, valid for five minutes. */
function token(paths, repository, actions) {
  const pem = readFileSync(join(paths.secrets, 'registry-token.pem'), 'utf8')
  const now = Math.floor(Date.now() / 1000)
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const access = [{ type: 'repository', name: repository, actions }]
  const claims = { iss: 'slipway', aud: 'slipway', sub: 'system:base-images', iat: now, exp: now + 300, jti: randomUUID(), access }
  const signed = `${encode({ alg: 'EdDSA', typ: 'JWT' })}.${encode(claims)}`
  return `${signed}.${sign(null, Buffer.from(signed), createPrivateKey(pem)).toString('base64url')}`
}
