/** Dockerfiles that do not come out of a repository, and what a look at one tells. */
import * as z from 'zod'

/** Characters of a Dockerfile and of a .dockerignore that are kept; well beyond what people write. */
export const KEPT_DOCKERFILE_LIMIT = 65_536
const text = (limit: number) =>
  z
    .string()
    .max(limit, `Use at most ${limit.toLocaleString('en')} characters.`)
    .refine((value) => !value.includes('\0'), 'Remove the NUL character.')

const evidence = z.object({
  /** Relative to the folder that the Dockerfile is written for. */
  file: z.string().max(500),
  /** `names next`; follows the file's name in a sentence. */
  fact: z.string().max(500),
})
const stack = z.array(z.string().max(100)).max(8)

export const keptDockerfile = z.object({
  text: text(KEPT_DOCKERFILE_LIMIT).min(1, 'Write a Dockerfile, or remove it.'),
  /** Used when the context has no .dockerignore of its own. */
  ignore: text(16_384).default(''),
  /** `missing`: a Dockerfile in the repository wins. */
  when: z.enum(['missing', 'always']).default('missing'),
  /** What it was made for and from which files, where Slipway made it. */
  stack: stack.default([]),
  evidence: z.array(evidence).max(40).default([]),
})
export type KeptDockerfile = z.infer<typeof keptDockerfile>

/** Where the Dockerfile of a build came from. */
export const dockerfileOrigin = z.object({ kind: z.enum(['repository', 'kept', 'generated']), stack, evidence: z.array(evidence).max(40) })
export type DockerfileOrigin = z.infer<typeof dockerfileOrigin>

/** One app that was found in a repository, with the Dockerfile that was made for it. */
export const detectedApp = z.object({
  /** `''` is the repository's root. */
  folder: z.string().max(500),
  /** The folder to build in; the workspace's root where the app needs its neighbours. */
  contextPath: z.string().max(500),
  stack,
  evidence: z.array(evidence).max(40),
  dockerfile: z.string().max(KEPT_DOCKERFILE_LIMIT),
  ignore: z.string().max(16_384),
  port: z.number().int(),
  warnings: z.array(z.string().max(1000)).max(20),
})
export type DetectedApp = z.infer<typeof detectedApp>

export const inspectionResult = z.object({
  commit: z.object({ sha: z.string(), message: z.string() }),
  /** Paths of what look like Dockerfiles; the likeliest first. */
  dockerfiles: z.array(z.string().max(500)).max(20),
  apps: z.array(detectedApp).max(20),
  /** Folders with something known that no Dockerfile can be made for, and why. */
  refused: z.array(z.object({ folder: z.string().max(500), refused: z.string().max(1000) })).max(20),
  /** What was looked for; to be told where nothing was found. */
  lookedFor: z.string().max(1000),
})
export type InspectionResult = z.infer<typeof inspectionResult>
