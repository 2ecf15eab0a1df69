/**
 * Takes: an image in the registry and on the host, and where it comes from.
 * Gives: the list of its packages and its provenance, attached to it as OCI referrers. Neither ever fails a build: what could not
 * be made is a warning in its log.
 */
import { IN_TOTO_TYPE, PREDICATE_TYPE, type ProvenanceStatement, SLSA_PROVENANCE, SPDX_TYPE } from '@slipway/contracts'
import { toAppError } from '@slipway/core'
import { type Descriptor, OCI_EMPTY, OCI_MANIFEST, RegistryClient } from '@slipway/oci'
import type { Deps } from '../deps'
import { systemToken } from './registry-access'

export interface Wanted {
  /** slipway.local/acme/shop */
  repository: string
  /** `sha256:…` in the registry. */
  digest: string
  /** A name or id that the agent knows it by; null: no list of packages. */
  sbomOf: string | null
  /** null: none. */
  provenance: (() => ProvenanceStatement) | null
}

interface Document {
  type: string
  text: string
  annotations: Record<string, string>
}

export async function attest(deps: Deps, wanted: Wanted, signal: AbortSignal, say: (line: string) => void): Promise<void> {
  const attempt = async (what: string, make: () => Promise<Document>) => {
    const from = performance.now()
    try {
      const document = await make()
      await attach(deps, wanted, document)
      const kilobytes = Math.ceil(Buffer.byteLength(document.text) / 1000)
      say(`Attached ${what} (${kilobytes} kB, ${Math.round(performance.now() - from)} ms)`)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      deps.log.warn({ err: error, digest: wanted.digest }, `could not attach ${what}`)
      say(`warning: The image has no ${what.replace(/^the /, '')}: ${toAppError(error).message}`)
    }
  }
  const { sbomOf, provenance } = wanted
  if (sbomOf !== null)
    await attempt('the list of its packages', async () => ({
      type: SPDX_TYPE,
      text: await deps.agent.sbom(sbomOf, signal),
      annotations: {},
    }))
  if (provenance !== null)
    await attempt('the record of its origin', async () => ({
      type: IN_TOTO_TYPE,
      text: JSON.stringify(provenance()),
      annotations: { [PREDICATE_TYPE]: SLSA_PROVENANCE },
    }))
}

/** image-spec, "Guidelines for Artifact Usage": an empty configuration, the document as the only layer, the image as subject. */
async function attach(deps: Deps, { repository, digest }: Wanted, { type, text, annotations }: Document): Promise<void> {
  const path = repository.replace(/^[^/]+\//, '')
  const bearer = await systemToken(deps, [{ type: 'repository', name: path, actions: ['pull', 'push'] }])
  const client = new RegistryClient({ baseUrl: deps.env.SLIPWAY_REGISTRY_URL, credentials: { bearer } })
  const subject = await client.getManifest(path, digest)
  const blob = async (mediaType: string, bytes: Uint8Array<ArrayBuffer>): Promise<Descriptor> => ({
    mediaType,
    digest: await client.putBlob(path, bytes),
    size: bytes.byteLength,
  })
  const encoder = new TextEncoder()
  const config = await blob(OCI_EMPTY, encoder.encode('{}'))
  const layer = await blob(type, encoder.encode(text))
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: type,
    config,
    layers: [{ ...layer, annotations }],
    subject: { mediaType: subject.parsed.mediaType, digest, size: subject.bytes.byteLength },
    annotations,
  }
  await client.putManifest(path, encoder.encode(JSON.stringify(manifest)), OCI_MANIFEST)
}
