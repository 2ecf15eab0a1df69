/** zod schemas of every tRPC procedure's input; shared by packages/api, the web forms and the CLI. */
import { sshAddress, VISIBILITIES } from '@slipway/core'
import * as z from 'zod'
import { buildPolicy } from '../agent/build-policy'
import { contextDigest, contextMissing } from '../agent/context-api'
import { imageArchiveFormat } from '../agent/image-output'
import { dockerfileOrigin, keptDockerfile } from '../dockerfiles'
import { sshAnswer } from '../ssh-forward'
import { auditFilter } from './activity'
import { id, org, slug } from './base'
import { imageForm } from './image-form'
import { givenContexts, namedContexts } from './named-contexts'
import { API_KEY_SCOPES } from './tokens'

export {
  createTeam,
  grantOnProject,
  grantOnRepository,
  invitation,
  invitationToken,
  inviteMember,
  joinByInvitation,
  member,
  outside,
  projectAccess,
  repositoryAccess,
  revokeOnProject,
  revokeOnRepository,
  setMemberRole,
  setVisibility,
  shared,
  team,
  teamMember,
} from './access'
export { auditFilter, exportAudit } from './activity'
export { id, org, slug } from './base'
export { compareImages, fileOfImage, imageFiles, listFiles, searchFiles, whereUsed } from './files'
export { type ImageForm, imageForm } from './image-form'
export { givenContexts, type NamedContextInput, namedContexts } from './named-contexts'
export { createOutgoing, listDeliveries, outgoing, outgoingUrl, updateOutgoing } from './outgoing'
export {
  addRepositoryRule,
  addTagRule,
  deleteRepository,
  forgetName,
  movedRepository,
  previewRepositoryRetention,
  previewRetention,
  type RetentionRulesInput,
  removeRepositoryRule,
  removeTagRule,
  renameRepository,
  retentionRules,
  setAbout,
  setQuota,
  setRepositoryRetention,
  setRetention,
  transferRepository,
} from './policies'
export { startVerification, storageRepositories, verification } from './storage'
export {
  API_KEY_SCOPES,
  createRobot,
  createShare,
  endLogin,
  listShares,
  openShare,
  revokeShare,
  robot,
  SHARE_HOURS,
  updateRobot,
} from './tokens'
export { createUpstream, testUpstream, updateUpstream, upstream } from './upstreams'

export const password = z.string().min(10, 'Use at least 10 characters.').max(200)
export const setup = z.object({
  token: z.string().max(200),
  name: z.string().trim().min(1, 'Tell us your name.').max(80),
  email: z.email('That does not look like an e-mail address.').max(200),
  password,
  organizationName: z.string().trim().min(1, 'Name your organization.').max(80),
})
export const createOrganization = z.object({ name: z.string().trim().min(1).max(80), slug: slug.optional() })

export const createProject = org.extend({ name: z.string().trim().min(1, 'Name the project.').max(80) })

const WEB = /^https?:\/\//i
const gitUrl = z
  .string()
  .max(500)
  .refine(
    (u) => (WEB.test(u) && URL.canParse(u)) || sshAddress(u) !== null,
    'Use an http(s) or SSH address, as in https://github.com/you/app.git or git@github.com:you/app.git',
  )
  .refine(
    // Asked of what is no URL too: zod goes on after the first thing that is wrong.
    (u) => !WEB.test(u) || !URL.canParse(u) || (new URL(u).username === '' && new URL(u).password === ''),
    'Put the access token into its own field, not into the address.',
  )
/** A branch name as git check-ref-format allows, and nothing that git could take for an option. */
export const gitBranch = z
  .string()
  .min(1)
  .max(200)
  .regex(/^(?!-)(?!.*(?:\.\.|@\{|\/\/|[\s~^:?*[\\\p{Cc}]))[^/].*(?<![./])$/u, 'That is not a valid branch name.')
const relativePath = z
  .string()
  .min(1)
  .max(300)
  .refine((p) => !p.startsWith('/') && !p.split('/').includes('..') && !p.includes('\0'), 'Use a path inside the repository.')
export const variableKey = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'Use letters, digits and underscores; do not start with a digit.')
export const variable = z.object({
  scope: z.enum(['build', 'runtime']),
  key: variableKey,
  /** Absent in an update: keep the stored value (a secret's value is never sent to the browser). */
  value: z.string().max(32_768).optional(),
  secret: z.boolean().default(false),
})

/** Of apps that are built here. */
const OF_BUILDS = {
  provenance: true,
  sbom: true,
  buildMemoryBytes: true,
  buildCpuMillis: true,
  buildPids: true,
  buildDiskBytes: true,
  buildTimeoutSeconds: true,
  namedContexts: true,
  buildCacheShare: true,
  imageFormat: true,
  platforms: true,
  reproducible: true,
} as const
/** As docker's --platform takes them; nothing is emulated, so a RUN on a base of a foreign one is an error of the build. */
export const platforms = z
  .array(z.string().regex(/^linux\/[a-z0-9]{1,20}(?:\/v[0-9]{1,2})?$/, 'Write linux/amd64, linux/arm64 or linux/arm/v7.'))
  .max(8, 'Name at most eight platforms.')
  .refine((list) => new Set(list).size === list.length, 'Name each platform once.')
/** Media types and compression of new layers, as one choice: Docker's types have no name for zstd. */
export const imageFormat = z.enum(['oci_gzip', 'oci_zstd', 'docker_gzip', 'oci_uncompressed'])
/** Without defaults: an update changes what it names and nothing else (`.partial()` would keep filling them in). */
const settingFields = {
  dockerfilePath: relativePath,
  contextPath: relativePath,
  target: z.string().max(128).nullish(),
  port: z.number().int().min(1).max(65_535).nullish(),
  healthPath: z
    .string()
    .regex(/^\/[^\s]*$/, 'Start the path with a slash.')
    .max(300),
  healthTimeoutSeconds: z.number().int().min(3).max(600),
  memoryLimitBytes: z
    .number()
    .int()
    .min(6 * 1024 * 1024)
    .nullish(),
  cpuLimitMillis: z.number().int().min(10).max(512_000).nullish(),
  /** Of a whole build; null: the installation's defaults. */
  buildMemoryBytes: z.number().int().min(64_000_000, 'A build needs at least 64 MB.').nullish(),
  buildCpuMillis: z.number().int().min(100, 'A build needs at least 0.1 cores.').max(512_000).nullish(),
  buildPids: z.number().int().min(16, 'A build needs at least 16 processes.').max(1_000_000).nullish(),
  /** Of one step of a build. */
  buildDiskBytes: z.number().int().min(64_000_000, 'A step needs at least 64 MB.').nullish(),
  buildTimeoutSeconds: z
    .number()
    .int()
    .min(30, 'A build needs at least half a minute.')
    .max(2400, 'A build may take at most 40 minutes.')
    .nullish(),
  /** What of a build's steps is left in the registry for other hosts: nothing, the steps of the image, or those of all stages. */
  buildCacheShare: z.enum(['off', 'image', 'all']),
  namedContexts,
  imageFormat,
  /** What builds are for; several: an index of their images. Empty: the build host's own. */
  platforms,
  /** The same commit gives the same digest: times in the image are the commit's, or SOURCE_DATE_EPOCH's. */
  reproducible: z.boolean(),
  autoDeploy: z.boolean(),
  /** Pull requests to the branch are built, and never deployed. */
  buildPullRequests: z.boolean(),
  /** Whether a build's provenance, and the list of an image's packages, are attached to its image. */
  provenance: z.boolean(),
  sbom: z.boolean(),
}
/** A new app's settings: what is not named has a default. */
const appSettings = z.object({
  ...settingFields,
  dockerfilePath: settingFields.dockerfilePath.default('Dockerfile'),
  contextPath: settingFields.contextPath.default('.'),
  healthPath: settingFields.healthPath.default('/'),
  healthTimeoutSeconds: settingFields.healthTimeoutSeconds.default(60),
  buildCacheShare: settingFields.buildCacheShare.optional(),
  namedContexts: settingFields.namedContexts.optional(),
  imageFormat: settingFields.imageFormat.optional(),
  platforms: settingFields.platforms.optional(),
  reproducible: settingFields.reproducible.optional(),
  autoDeploy: settingFields.autoDeploy.default(true),
  buildPullRequests: settingFields.buildPullRequests.optional(),
  provenance: settingFields.provenance.optional(),
  sbom: settingFields.sbom.optional(),
})
const base = org.extend({
  /** Project slug. */
  project: slug,
  name: z.string().trim().min(1, 'Name the app.').max(48),
  variables: z.array(variable).max(200).default([]),
})
export const createApp = z.discriminatedUnion('source', [
  base.extend({
    source: z.literal('git'),
    gitUrl,
    gitBranch: gitBranch.default('main'),
    gitToken: z.string().max(500).optional(),
    /** Kept with the app; null or absent: only the repository's own, or one that each build makes. */
    dockerfile: keptDockerfile.nullish(),
    ...appSettings.shape,
  }),
  base.extend({
    source: z.literal('image'),
    /** `slipway.local/<org>/<name>:<tag>`, `<name>:<tag>` of Docker Hub, or any other reference. */
    imageReference: z.string().min(1).max(400),
    /** A push that moves the tag deploys it; only of the organization's own repositories. */
    followTag: z.boolean().optional(),
    ...appSettings.omit({ dockerfilePath: true, contextPath: true, target: true, autoDeploy: true, buildPullRequests: true, ...OF_BUILDS })
      .shape,
  }),
  base.extend({
    /** Built from what `slipway build` uploads; the first build comes after. */
    source: z.literal('upload'),
    ...appSettings.omit({ dockerfilePath: true, contextPath: true, target: true, autoDeploy: true, buildPullRequests: true }).shape,
  }),
])
const secretId = z.string().regex(/^[\w.-]{1,200}$/, 'Name a secret with letters, digits, dots, dashes and underscores.')
/** Text as it is; what is no UTF-8, such as a keystore, in base64. At most 500 KiB of content. */
const secretValue = z.union([z.string().max(500 * 1024), z.object({ base64: z.base64().max(4 * Math.ceil((500 * 1024) / 3)) })])
const imageTag = z.string().regex(/^\w[\w.-]{0,127}$/, 'That is not a valid tag.')

/** examples/<name> of this installation, served by its own built-in Git endpoint. */
export const createExample = org.extend({ example: z.enum(['hello', 'guestbook']), project: slug.optional() })

export const app = org.extend({ app: slug })
export const updateApp = app.extend({
  name: z.string().trim().min(1).max(48).optional(),
  gitUrl: gitUrl.optional(),
  gitBranch: gitBranch.optional(),
  /** null removes the token; absent keeps it. */
  gitToken: z.string().max(500).nullish(),
  imageReference: z.string().min(1).max(400).optional(),
  followTag: z.boolean().optional(),
  /** null removes the one that is kept; absent keeps it. */
  dockerfile: keptDockerfile.nullish(),
  ...z.object(settingFields).partial().shape,
})
/** Absent: a new one is made. null: none from now on. Else a private key as `ssh-keygen` writes it: Ed25519, RSA or ECDSA. */
export const setDeployKey = app.extend({ key: z.string().max(10_000).nullish() })
export const forgetKnownHost = org.extend({ id })
/** Of a repository that no app is made of yet, or of an app's own with the token that it has. */
export const startInspection = z.discriminatedUnion('of', [
  org.extend({ of: z.literal('repository'), gitUrl, gitBranch: gitBranch.default('main'), gitToken: z.string().max(500).optional() }),
  org.extend({ of: z.literal('app'), app: slug }),
])
export const inspection = org.extend({ id })
export const setVariables = app.extend({ variables: z.array(variable).max(200) })
export const deleteApp = app.extend({ /** The app's slug typed again. */ confirm: z.string() })

export const page = z.object({ cursor: z.string().max(200).nullish(), limit: z.number().int().min(1).max(100).default(25) })
/** `pullRequests: false`: without those of pull requests. */
export const listBuilds = org.extend({ app: slug.optional(), pullRequests: z.boolean().optional() }).extend(page.shape)
export const build = app.extend({ number: z.number().int().positive() })
export const triggerBuild = app.extend({ noCache: z.boolean().default(false) })
/** `slipway build`: the context is uploaded first, by what is missing of it. */
export const missingContext = org.extend(contextMissing.omit({ partial: true }).shape)
export const uploadBuild = app.extend({
  /** Root of the context. */
  tree: contextDigest,
  /** Sent apart: it may lie outside of the context, or be left out of it. `path` is what errors call it. */
  dockerfile: z.object({ path: z.string().min(1).max(300), text: z.string().max(1024 * 1024), origin: dockerfileOrigin.optional() }),
  /** What the client has filtered the context by. */
  ignore: z
    .string()
    .max(256 * 1024)
    .default(''),
  target: z.string().max(128).optional(),
  /** As `--build-context`: by name. */
  contexts: givenContexts.default({}),
  /** Instead of the app's. */
  platforms: platforms.optional(),
  buildArgs: z.record(variableKey, z.string().max(32_768)).default({}),
  /** For RUN --mount=type=secret, beside the app's own, by id. */
  secrets: z.record(secretId, secretValue).default({}),
  /** SSH agents that the client answers for while the build runs (`builds.sshRequests`), by id; before the app's own keys. */
  ssh: z.array(secretId).max(20).default([]),
  noCache: z.boolean().default(false),
  /** Into the registry as `<org>/<app>:<tag>`. */
  push: z.boolean().default(false),
  tag: imageTag.default('latest'),
  deploy: z.boolean().default(false),
  /** Instead of the app's settings. */
  form: imageForm.optional(),
})
export const answerSsh = build.extend(sshAnswer.required().shape)
/** `platform`: whose files, of a build for several. `name`: what an archive calls the image. */
export const buildOutput = app.extend({
  number: z.coerce.number().int().positive(),
  kind: z.enum(['files', 'oci', 'docker']),
  platform: z.string().max(60).optional(),
  name: z.string().min(1).max(400).optional(),
})
/** Log chunks with seq > after. */
export const buildLogs = build.extend({ after: z.number().int().min(0).default(0), limit: z.number().int().min(1).max(5000).default(1000) })
export const listDeployments = app.extend(page.shape)
export const deployment = app.extend({ number: z.number().int().positive() })
export const redeploy = app
/** Absent number: the newest retired deployment. */
export const rollback = app.extend({ number: z.number().int().positive().optional() })
export const appLogs = app.extend({ tail: z.number().int().min(0).max(5000).default(200) })

export const listRepositories = org
  .extend({
    /** Part of the name. */
    query: z.string().max(200).optional(),
    sort: z.enum(['name', 'pushed', 'pulled', 'pulls', 'size']).default('name'),
    order: z.enum(['asc', 'desc']).default('asc'),
    visibility: z.enum(VISIBILITIES).optional(),
    running: z.boolean().optional(),
  })
  .extend(page.shape)
export const repository = org.extend({ repository: z.string().min(1).max(255) })
export const listTags = repository.extend({ /** Part of the tag. */ query: z.string().max(128).optional() }).extend(page.shape)
const tag = z.string().min(1).max(128)
export const tagHistory = repository.extend({ tag }).extend(page.shape)
export const listUntagged = repository.extend(page.shape)
export const pointTag = repository.extend({ tag, digest: z.string().regex(/^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$/) })
export const image = repository.extend({ /** Tag or digest. */ reference: z.string().min(1).max(255) })
/** The newest document of a kind that is attached to an image. */
export const attestation = image.extend({ kind: z.enum(['sbom', 'provenance']) })
export const deleteImage = image
export const imageArchive = image.extend({ format: imageArchiveFormat })

export const createApiKey = z.object({
  name: z.string().trim().min(1, 'Name the key.').max(80),
  expiresInDays: z.number().int().min(1).max(3650).nullish(),
  /** Absent: everything. */
  scope: z.enum(API_KEY_SCOPES).optional(),
  /** Only in this organization. Absent or null: in all that its user is in. */
  organization: slug.nullish(),
})
export const revokeApiKey = z.object({ id })
export const addMember = org.extend({ email: z.email(), role: z.enum(['owner', 'admin', 'developer', 'guest']) })
export const listAudit = org.extend({ ...page.shape, ...auditFilter.shape })
/** What of the organization's build cache goes: all, one kind of it, or what was not used for so many days. */
export const clearBuildCache = org.extend({
  kind: z.enum(['layer', 'mount']).optional(),
  unusedDays: z.number().int().min(0).max(3650).optional(),
})
export const host = org.extend({ host: id })
export const setBuildPolicy = host.extend({ policy: buildPolicy })
export const search = org.extend({ query: z.string().max(200) })
export {
  cancelReplication,
  createReplication,
  listReplicationItems,
  listReplicationRuns,
  replication,
  replicationRun,
  testReplication,
  updateReplication,
} from './replication'
