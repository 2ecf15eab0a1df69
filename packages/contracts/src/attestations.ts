/**
 * What is attached to images: an SBOM (SPDX 2.3) and provenance (in-toto statement v1 with SLSA provenance v1), as OCI referrers.
 * Only what is read here is named; anyone who may push can attach a document, so everything has a limit.
 */
import * as z from 'zod'

export const SPDX_TYPE = 'application/spdx+json'
export const IN_TOTO_TYPE = 'application/vnd.in-toto+json'
export const SLSA_PROVENANCE = 'https://slsa.dev/provenance/v1'
/** Annotation of an in-toto referrer, as BuildKit and cosign write it. */
export const PREDICATE_TYPE = 'in-toto.io/predicate-type'
/** What Slipway's own provenance says of how an image was made; docs/attestations.md describes its parameters. */
export const BUILD_TYPE = 'https://slipway.dev/build/dockerfile/v1'
/** A material of a build from uploaded files: the context, named by the digest of its root. */
export const UPLOADED_CONTEXT = 'slipway:context'
/** Of one document, in bytes. */
export const MAX_ATTESTATION = 32 * 1024 * 1024

const text = z.string().max(4096)
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().catch(null)

export const spdxDocument = z.object({
  spdxVersion: z.string().startsWith('SPDX-2.'),
  comment: optional(z.string().max(10_000)),
  creationInfo: z.object({ created: optional(text), creators: optional(z.array(text).max(20)) }),
  packages: z
    .array(
      z.object({
        SPDXID: text,
        name: text,
        versionInfo: optional(text),
        licenseDeclared: optional(text),
        licenseConcluded: optional(text),
        primaryPackagePurpose: optional(text),
        externalRefs: optional(z.array(z.object({ referenceType: text, referenceLocator: text })).max(100)),
      }),
    )
    .max(100_000),
  files: optional(z.array(z.object({ SPDXID: text, fileName: text, comment: optional(text) })).max(100_000)),
  relationships: optional(z.array(z.object({ spdxElementId: text, relationshipType: text, relatedSpdxElement: text })).max(1_000_000)),
  hasExtractedLicensingInfos: optional(z.array(z.object({ licenseId: text, name: optional(text) })).max(10_000)),
})
export type SpdxDocument = z.infer<typeof spdxDocument>

const digests = z.record(z.string().max(64), z.string().max(256))
const resource = z.object({
  uri: optional(text),
  name: optional(text),
  digest: optional(digests),
  annotations: optional(z.record(z.string(), z.unknown())),
})

export const provenanceStatement = z.object({
  _type: z.string().startsWith('https://in-toto.io/Statement/'),
  subject: z
    .array(z.object({ name: optional(text), digest: digests }))
    .min(1)
    .max(100),
  predicateType: z.literal(SLSA_PROVENANCE),
  predicate: z.object({
    buildDefinition: z.object({
      buildType: text,
      externalParameters: z.record(z.string(), z.unknown()),
      internalParameters: optional(z.record(z.string(), z.unknown())),
      resolvedDependencies: optional(z.array(resource).max(1000)),
    }),
    runDetails: z.object({
      builder: z.object({ id: text, version: optional(z.record(z.string(), text)) }),
      metadata: optional(z.object({ invocationId: optional(text), startedOn: optional(text), finishedOn: optional(text) })),
    }),
  }),
})
export type ProvenanceStatement = z.infer<typeof provenanceStatement>

/** `externalParameters` of `BUILD_TYPE`. */
export const buildParameters = z.object({
  /** Of a build from a repository. */
  repository: z.string().max(2000).nullish(),
  ref: z.string().max(400).nullish(),
  commit: z.string().max(64).nullish(),
  /** Of a build from files that a client uploaded: the digest of the context's root (`agent/context-api.ts`). */
  tree: z.string().max(100).nullish(),
  dockerfile: z.string().max(400),
  context: z.string().max(400),
  target: z.string().max(200).nullish(),
  /** Values of those that are no secret. */
  buildArgs: z.record(z.string().max(200), z.string().max(40_000)),
  /** Names of secret build variables: their values are told to nobody. */
  secrets: z.array(z.string().max(200)).max(1000),
})
export type BuildParameters = z.infer<typeof buildParameters>
