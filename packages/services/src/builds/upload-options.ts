/** What a build from a client's files is told, and where each part of it lies: `Build.upload`, and sealed `Build.uploadSecrets`. */
import { contextDigest, dockerfileOrigin, inputs } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { Prisma } from '@slipway/db'
import type { Sealer } from '@slipway/secrets'
import * as z from 'zod'

const options = z.object({
  tree: contextDigest,
  dockerfilePath: z.string(),
  /** Where the Dockerfile came from. */
  origin: dockerfileOrigin.default({ kind: 'repository', stack: [], evidence: [] }),
  ignore: z.string(),
  target: z.string().nullable(),
  contexts: inputs.givenContexts.default({}),
  /** Null: as the app's settings say. */
  platforms: z.array(z.string()).nullable().default(null),
  /** Into the registry, by this tag too. */
  push: z.boolean(),
  tag: z.string(),
  /** SSH agents that a client answers for: whose, and their ids. */
  ssh: z.object({ by: z.string().nullable(), ids: z.array(z.string()) }).default({ by: null, ids: [] }),
  /** Null: as the app's settings say. */
  form: inputs.imageForm.nullable().default(null),
})
export type UploadOptions = z.infer<typeof options>

const texts = z.record(z.string(), z.string())
const secrets = z.object({ buildArgs: texts, secrets: z.record(z.string(), z.union([z.string(), z.object({ base64: z.string() })])) })
export type UploadSecrets = z.infer<typeof secrets>

interface UploadColumns {
  id: string
  organizationId: string
  upload: unknown
  uploadSecrets: Uint8Array | null
}

export const uploadOptions = ({ upload }: Pick<UploadColumns, 'upload'>): UploadOptions | null =>
  upload === null || upload === undefined ? null : options.parse(upload)

export const optionsColumn = (value: UploadOptions): Prisma.InputJsonObject => value

const owner = ({ id, organizationId }: Pick<UploadColumns, 'id' | 'organizationId'>) => ({ kind: 'upload' as const, organizationId, id })

export const sealUpload = (sealer: Sealer, build: Pick<UploadColumns, 'id' | 'organizationId'>, value: UploadSecrets) =>
  sealer.seal(JSON.stringify(value), owner(build))

export function openUpload(sealer: Sealer, build: UploadColumns): UploadSecrets {
  if (!build.uploadSecrets)
    throw new AppError({
      kind: 'conflict',
      code: 'UPLOAD_OVER',
      message: 'What this build was given is not kept any more. Run slipway build again.',
    })
  return secrets.parse(JSON.parse(sealer.open(build.uploadSecrets, owner(build))))
}
