/** Where the blobs lie, as a person says it. Read by env.ts. */
import * as z from 'zod'
import type { S3Options } from './s3-bucket'

export type StoreSettings = { kind: 'filesystem'; root: string } | ({ kind: 's3' } & S3Options)

const yesOrNo = z.enum(['true', 'false'], { error: 'must be true or false' }).transform((value) => value === 'true')
const address = z.url({ protocol: /^https?$/, error: 'must start with http:// or https://' }).transform((url) => url.replace(/\/+$/, ''))

export const storeSchema = z.object({
  SLIPWAY_REGISTRY_STORE: z.enum(['filesystem', 's3'], { error: 'must be filesystem or s3' }).default('filesystem'),
  SLIPWAY_REGISTRY_S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i, 'is no name of a bucket')
    .optional(),
  /** Amazon's, when there is none. */
  SLIPWAY_REGISTRY_S3_ENDPOINT: address.optional(),
  SLIPWAY_REGISTRY_S3_REGION: z.string().min(1).default('us-east-1'),
  SLIPWAY_REGISTRY_S3_PREFIX: z
    .string()
    .regex(/^(?!(?:.*\/)?\.\.?(?:\/|$))[\w./-]{0,200}$/, 'may have letters, digits and . _ - /')
    .default(''),
  SLIPWAY_REGISTRY_S3_PATH_STYLE: yesOrNo.optional(),
  SLIPWAY_REGISTRY_S3_CREDENTIALS_FILE: z.string().min(1).optional(),
  SLIPWAY_REGISTRY_S3_PUBLIC_ENDPOINT: address.optional(),
  SLIPWAY_REGISTRY_S3_REDIRECT: yesOrNo.optional(),
})

/** Throws an error that names the variable that is missing. */
export function readStoreSettings(values: z.output<typeof storeSchema>, root: string): StoreSettings {
  if (values.SLIPWAY_REGISTRY_STORE === 'filesystem') return { kind: 'filesystem', root }
  const {
    SLIPWAY_REGISTRY_S3_BUCKET: bucket,
    SLIPWAY_REGISTRY_S3_ENDPOINT: endpoint,
    SLIPWAY_REGISTRY_S3_PREFIX: prefix,
    SLIPWAY_REGISTRY_S3_CREDENTIALS_FILE: credentialsFile,
    SLIPWAY_REGISTRY_S3_PUBLIC_ENDPOINT: publicEndpoint,
  } = values
  if (bucket === undefined) throw new Error('SLIPWAY_REGISTRY_S3_BUCKET is required when SLIPWAY_REGISTRY_STORE is s3')
  const tidy = prefix.split('/').filter(Boolean).join('/')
  return {
    kind: 's3',
    bucket,
    region: values.SLIPWAY_REGISTRY_S3_REGION,
    prefix: tidy === '' ? '' : `${tidy}/`,
    // A bucket as part of the host's name needs names in DNS that only large installations have.
    pathStyle: values.SLIPWAY_REGISTRY_S3_PATH_STYLE ?? endpoint !== undefined,
    // A plain HTTP address is one inside; clients may not reach it.
    redirect: values.SLIPWAY_REGISTRY_S3_REDIRECT ?? !(publicEndpoint ?? endpoint)?.startsWith('http:'),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(publicEndpoint === undefined ? {} : { publicEndpoint }),
    ...(credentialsFile === undefined ? {} : { credentialsFile }),
  }
}
