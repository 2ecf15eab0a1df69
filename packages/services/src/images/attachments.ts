/** What lies beside an image in the registry and is about it: signatures, lists of packages, attestations, whatever a client attached. */
import { IN_TOTO_TYPE, SPDX_TYPE, type views } from '@slipway/contracts'
import { type AttachedRow, listAttached, type ManifestRow, namesOfSubjects, type RepositoryRow } from '@slipway/db'
import type { Deps } from '../deps'
import type { Scope } from '../scope'

const MOST = 100

export async function attachmentsOf(
  { db }: Deps,
  scope: Scope,
  { repository, manifest }: { repository: RepositoryRow; manifest: ManifestRow },
): Promise<views.AttachmentView[]> {
  const rows = await listAttached(db, scope.organizationId, repository.id, manifest.digest, MOST)
  const nameOf = await namesOfSubjects(
    db,
    rows.map((row) => row.pushedBy),
  )
  return rows.map((row) => ({
    digest: row.digest,
    kind: kindOf(row),
    type: row.artifactType ?? row.mediaType,
    tag: row.tag,
    size: Number(row.size),
    pushedBy: nameOf(row.pushedBy),
    pushedAt: row.pushedAt,
  }))
}

/** Types in the words of those who made them: cosign, Notation, Sigstore's bundles, BuildKit, Syft. */
const KINDS: Record<string, views.AttachmentView['kind']> = {
  'application/vnd.dev.cosign.artifact.sig.v1+json': 'signature',
  'application/vnd.dev.cosign.artifact.att.v1+json': 'attestation',
  'application/vnd.dev.cosign.artifact.sbom.v1+json': 'sbom',
  'application/vnd.cncf.notary.signature': 'signature',
  [SPDX_TYPE]: 'sbom',
  'application/vnd.cyclonedx+json': 'sbom',
  'application/vnd.syft+json': 'sbom',
  [IN_TOTO_TYPE]: 'attestation',
}
const KINDS_OF_TAGS: Record<string, views.AttachmentView['kind']> = { sig: 'signature', att: 'attestation', sbom: 'sbom' }
/** A bundle is any of them; its annotations say which. cosign 3 signs with a statement in an envelope, too. */
const BUNDLE = 'application/vnd.dev.sigstore.bundle'
const BUNDLE_CONTENT = 'dev.sigstore.bundle.content'
const BUNDLE_PREDICATE = 'dev.sigstore.bundle.predicateType'
const KINDS_OF_PREDICATES = new Map<unknown, views.AttachmentView['kind']>([
  ['https://sigstore.dev/cosign/sign/v1', 'signature'],
  ['https://spdx.dev/Document', 'sbom'],
  ['https://cyclonedx.org/bom', 'sbom'],
])

function kindOf({ tag, artifactType, annotations }: AttachedRow): views.AttachmentView['kind'] {
  const suffix = tag?.split('.').at(1)
  if (suffix !== undefined) return KINDS_OF_TAGS[suffix] ?? 'other'
  if (artifactType?.startsWith(BUNDLE)) {
    const { [BUNDLE_CONTENT]: content, [BUNDLE_PREDICATE]: predicate } = (annotations ?? {}) as Record<string, unknown>
    return content === 'dsse-envelope' ? (KINDS_OF_PREDICATES.get(predicate) ?? 'attestation') : 'signature'
  }
  return KINDS[artifactType ?? ''] ?? 'other'
}
