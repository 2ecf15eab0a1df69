/**
 * The documents attached to images, read from the registry that keeps them. The organization is checked on the rows before a
 * token is signed; the token opens one repository.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import {
  IN_TOTO_TYPE,
  MAX_ATTESTATION,
  PREDICATE_TYPE,
  provenanceStatement,
  SLSA_PROVENANCE,
  SPDX_TYPE,
  spdxDocument,
  type views,
} from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { attachedManifests, type ManifestRow, namesOfSubjects, type RepositoryRow } from '@slipway/db'
import { RegistryClient, signRegistryToken } from '@slipway/oci'
import type { z } from 'zod'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import { provenanceView } from './provenance-view'
import { sbomView } from './sbom-view'

export type Kind = 'sbom' | 'provenance'
type Loaded = { repository: RepositoryRow; manifest: ManifestRow }
type Attached = { view: views.AttachedView; blob: string }

const TOKEN_SECONDS = 60

async function newest({ db }: Deps, scope: Scope, { repository, manifest }: Loaded, kind: Kind): Promise<Attached | null> {
  const type = kind === 'sbom' ? SPDX_TYPE : IN_TOTO_TYPE
  const rows = await attachedManifests(db, scope.organizationId, repository.id, manifest.digest, type)
  const found = rows.find(({ annotations }) => kind === 'sbom' || predicateOf(annotations) === SLSA_PROVENANCE)
  const [blob] = found?.layers ?? []
  if (!found || !blob) return null
  const { digest, createdAt } = found
  const nameOf = await namesOfSubjects(db, [found.pushedBy])
  return { view: { digest, pushedBy: nameOf(found.pushedBy), pushedAt: createdAt, size: Number(blob.size) }, blob: blob.digest }
}

const predicateOf = (annotations: unknown): unknown =>
  typeof annotations === 'object' && annotations !== null ? (annotations as Record<string, unknown>)[PREDICATE_TYPE] : undefined

async function read({ config }: Deps, scope: Scope, { repository }: Loaded, { blob, view }: Attached): Promise<string> {
  if (view.size > MAX_ATTESTATION) throw invalid('it is larger than 32 MB')
  const name = `${scope.organization}/${repository.name}`
  const key = readFileSync(path.join(config.secretsDir, 'registry-token.pem'), 'utf8')
  const access = [{ type: 'repository' as const, name, actions: ['pull' as const] }]
  const bearer = await signRegistryToken({ sub: 'system:web', access, ttlSeconds: TOKEN_SECONDS }, key)
  const client = new RegistryClient({ baseUrl: config.registryUrl, credentials: { bearer } })
  return new TextDecoder().decode(await client.getBlob(name, blob, MAX_ATTESTATION))
}

function parse<T>(schema: z.ZodType<T>, text: string): T {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw invalid(`its ${parsed.error.issues[0]?.path.join('.') || 'content'} is not as the format says`, parsed.error)
  return parsed.data
}

const invalid = (why: string, cause?: unknown) =>
  new AppError({
    kind: 'bad-input',
    code: 'ATTESTATION_INVALID',
    message: `The document that is attached to this image cannot be shown: ${why}. Download it to look at it.`,
    cause,
  })

export async function sbomOf(deps: Deps, scope: Scope, loaded: Loaded): Promise<views.SbomView | null> {
  const attached = await newest(deps, scope, loaded, 'sbom')
  if (!attached) return null
  const spdx = parse(spdxDocument, await read(deps, scope, loaded, attached))
  return { ...attached.view, ...sbomView(spdx, loaded.manifest.layers) }
}

export async function provenanceOf(deps: Deps, scope: Scope, loaded: Loaded): Promise<views.ProvenanceView | null> {
  const attached = await newest(deps, scope, loaded, 'provenance')
  if (!attached) return null
  return { ...attached.view, ...provenanceView(parse(provenanceStatement, await read(deps, scope, loaded, attached))) }
}

export async function documentOf(deps: Deps, scope: Scope, loaded: Loaded, kind: Kind): Promise<views.DocumentView | null> {
  const attached = await newest(deps, scope, loaded, kind)
  if (!attached) return null
  const short = loaded.manifest.digest.replace(/^sha256:/, '').slice(0, 12)
  const ending = kind === 'sbom' ? 'spdx.json' : 'intoto.json'
  return {
    name: `${loaded.repository.name.replaceAll('/', '-')}-${short}.${ending}`,
    text: await read(deps, scope, loaded, attached),
  }
}
