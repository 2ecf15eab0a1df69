/**
 * `Deployment.settings` in Postgres: an app's settings as they were when the deployment was made, so that a rollback
 * brings back the settings with the image. New fields need defaults: old rows are parsed by this schema too.
 */
import * as z from 'zod'

export const deploymentSettings = z.object({
  /** Null: the first TCP port that the image exposes, else 8080. */
  port: z.number().int().nullable().default(null),
  healthPath: z.string().default('/'),
  healthTimeoutSeconds: z.number().int().default(60),
  memoryLimitBytes: z.number().int().nullable().default(null),
  cpuLimitMillis: z.number().int().nullable().default(null),
  pidsLimit: z.number().int().nullable().default(null),
  drainSeconds: z.number().int().default(5),
})
export type DeploymentSettings = z.infer<typeof deploymentSettings>
