/**
 * The whole interface of the use cases. packages/api calls one of these per procedure; the worker calls
 * `deployments.createFromBuild`; the webhook route calls `webhooks.receive`. All throw AppError.
 */
import type { Readable } from 'node:stream'
import type { BuildPolicyPreview, ContextMissing, inputs, SshRequest, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { AccessService } from './access/service'
import type { ActivityService } from './activity/service'
import type { MovedTags } from './deployments/follow'
import type { FilesService } from './layers/service'
import type { LoginsService } from './logins/service'
import type { InvitationsService, MembersService } from './members/service'
import type { OutgoingService } from './outgoing/service'
import type { PoliciesService, RepositoriesService } from './policies/service'
import type { RegistryKeysService } from './registry-keys/service'
import type { ReplicationService } from './replication/service'
import type { RobotsService } from './robots/service'
import type { Actor, Identity, Scope } from './scope'
import type { SharesService } from './shares/service'
import type { StorageService } from './storage/service'
import type { TeamsService } from './teams/service'
import type { UpstreamsService } from './upstreams/service'

type In<S extends z.ZodType> = z.infer<S>
/** The part of an input that is not the organization: that one is already in the scope. */
type Of<S extends z.ZodType> = DistributiveOmit<z.infer<S>, 'org'>
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

export interface AuthService {
  /** better-auth's HTTP endpoints (`/api/auth/**`). */
  handler(request: Request): Promise<Response>
  /** Who the session cookie in `headers` belongs to; null when nobody. */
  session(headers: Headers): Promise<Identity | null>
  /** Set-Cookie values of a new session. */
  signIn(email: string, password: string, headers: Headers): Promise<string[]>
}

export interface SetupService {
  status(): Promise<views.SetupView>
  /** Creates the first account and its organization; only while none exists and with the one-time token. */
  create(input: In<typeof inputs.setup>, ip: string | null): Promise<{ organization: string }>
  /** At boot: makes the one-time token file while no account exists (returns the token), or the account of the settings. */
  prepare(): Promise<{ token: string | null }>
}

export interface ApiKeysService {
  /** The user of a `slp_…` key; null for an unknown, expired or revoked one. One for the registry opens nothing else. */
  verify(key: string): Promise<Identity | 'registry-only' | null>
  list(userId: string): Promise<views.ApiKeyView[]>
  create(actor: Actor, input: In<typeof inputs.createApiKey>): Promise<views.CreatedApiKeyView>
  revoke(actor: Actor, input: In<typeof inputs.revokeApiKey>): Promise<views.ApiKeyView>
}

export interface OrganizationsService {
  me(identity: Identity): Promise<views.MeView>
  /** The only way to a Scope: NOT_FOUND for an unknown organization and for one that the user is no member of. */
  scope(actor: Actor, organization: string): Promise<Scope>
  create(actor: Actor, input: In<typeof inputs.createOrganization>): Promise<{ slug: string }>
  get(scope: Scope): Promise<views.OrganizationView>
  members(scope: Scope): Promise<views.MemberView[]>
  addMember(scope: Scope, input: Of<typeof inputs.addMember>): Promise<views.MemberView>
  search(scope: Scope, input: Of<typeof inputs.search>): Promise<views.SearchHit[]>
  knownHosts(scope: Scope): Promise<views.KnownHostView[]>
  /** The next build takes whatever key the host answers with. */
  forgetKnownHost(scope: Scope, input: Of<typeof inputs.forgetKnownHost>): Promise<views.KnownHostView[]>
}

export interface ProjectsService {
  list(scope: Scope): Promise<views.ProjectView[]>
  create(scope: Scope, input: Of<typeof inputs.createProject>): Promise<{ slug: string }>
}

export interface AppsService {
  list(scope: Scope): Promise<views.AppSummary[]>
  get(scope: Scope, input: Of<typeof inputs.app>): Promise<views.AppView>
  create(scope: Scope, input: Of<typeof inputs.createApp>): Promise<views.CreatedAppView>
  createExample(scope: Scope, input: Of<typeof inputs.createExample>): Promise<views.CreatedAppView>
  update(scope: Scope, input: Of<typeof inputs.updateApp>): Promise<views.AppView>
  /** The private half is never told again. */
  setDeployKey(scope: Scope, input: Of<typeof inputs.setDeployKey>): Promise<views.AppView>
  variables(scope: Scope, input: Of<typeof inputs.app>): Promise<views.VariableView[]>
  setVariables(scope: Scope, input: Of<typeof inputs.setVariables>): Promise<views.VariableView[]>
  stop(scope: Scope, input: Of<typeof inputs.app>): Promise<views.AppView>
  start(scope: Scope, input: Of<typeof inputs.app>): Promise<views.AppView>
  /** Answers what is removed; the worker then removes it. */
  delete(scope: Scope, input: Of<typeof inputs.deleteApp>): Promise<views.AppView['removes']>
  /** Lines of all running containers in batches, until `signal`. `since` resumes after that instant. */
  logs(scope: Scope, input: Of<typeof inputs.appLogs> & { since: Date | null }, signal: AbortSignal): AsyncIterable<views.LogLineView[]>
  stats(scope: Scope, input: Of<typeof inputs.app>): Promise<views.AppStatsView | null>
}

export interface WebhooksService {
  get(scope: Scope, input: Of<typeof inputs.app>): Promise<views.WebhookView>
  rotateSecret(scope: Scope, input: Of<typeof inputs.app>): Promise<views.WebhookView>
  /** A request of a Git server; reads the body itself, with a limit and a deadline. Never throws. */
  receive(webhookId: string, request: Request): Promise<{ status: number; body: { outcome: string; reason: string; build: number | null } }>
}

export interface BuildsService {
  list(scope: Scope, input: Of<typeof inputs.listBuilds>): Promise<views.Page<views.BuildSummary>>
  get(scope: Scope, input: Of<typeof inputs.build>): Promise<views.BuildView>
  trigger(scope: Scope, input: Of<typeof inputs.triggerBuild>, via: 'manual' | 'api'): Promise<{ number: number }>
  /** A build of files that are uploaded already, and the app's name of today; CONTEXT_INCOMPLETE names what is missing of them. */
  upload(scope: Scope, input: Of<typeof inputs.uploadBuild>): Promise<{ app: string; number: number }>
  /** What the build's steps ask the SSH agent of who started it; for them alone, and until it is over. The same `ask` may come again. */
  sshRequests(scope: Scope, input: Of<typeof inputs.build>, signal: AbortSignal | undefined): AsyncGenerator<SshRequest>
  /** Their answer, while it runs. */
  sshAnswer(scope: Scope, input: Of<typeof inputs.answerSsh>): Promise<void>
  cancel(scope: Scope, input: Of<typeof inputs.build>): Promise<views.BuildView>
  /** The id of the image that it made, from the build host. */
  made(scope: Scope, input: Of<typeof inputs.build>): Promise<{ imageId: string }>
  /** The image as a tar, or its files. */
  output(scope: Scope, input: Of<typeof inputs.buildOutput>, signal: AbortSignal): Promise<{ stream: Readable; filename: string }>
  logs(scope: Scope, input: Of<typeof inputs.buildLogs>): Promise<views.LogChunkView[]>
  /** What the builds before this one tell about it. */
  insights(scope: Scope, input: Of<typeof inputs.build>): Promise<views.BuildInsightsView>
}

export interface InspectionsService {
  /** Refused with TOO_MANY_INSPECTIONS when the organization has begun too many. */
  start(scope: Scope, input: Of<typeof inputs.startInspection>): Promise<views.InspectionView>
  get(scope: Scope, input: Of<typeof inputs.inspection>): Promise<views.InspectionView>
  cancel(scope: Scope, input: Of<typeof inputs.inspection>): Promise<views.InspectionView>
}

/** Files that clients upload to build from, kept on the build host for their organization. */
export interface ContextsService {
  missing(scope: Scope, input: Of<typeof inputs.missingContext>): Promise<ContextMissing>
  /** A stream of objects, packed as `encoding` says; gives the bytes that were new. */
  send(scope: Scope, body: ReadableStream<Uint8Array>, encoding: string, signal: AbortSignal): Promise<{ stored: number }>
}

export interface DeploymentsService {
  list(scope: Scope, input: Of<typeof inputs.listDeployments>): Promise<views.Page<views.DeploymentView>>
  get(scope: Scope, input: Of<typeof inputs.deployment>): Promise<views.DeploymentView>
  redeploy(scope: Scope, input: Of<typeof inputs.redeploy>, via: 'manual' | 'api'): Promise<{ number: number }>
  rollback(scope: Scope, input: Of<typeof inputs.rollback>, via: 'manual' | 'api'): Promise<{ number: number }>
  cancel(scope: Scope, input: Of<typeof inputs.deployment>): Promise<views.DeploymentView>
  /** For the worker: the deployment of a build that has published. Idempotent: one deployment per build. */
  createFromBuild(buildId: string): Promise<{ id: string; number: number } | null>
  /** For the worker: apps that follow a tag which a push moved, to the digest that it has now. Once per digest. */
  followTags(moved: MovedTags): Promise<{ id: string; app: string; number: number }[]>
  /** For the worker: `KEY=value` of a deployment, decrypted. */
  environment(deploymentId: string): Promise<string[]>
}

export interface ImagesService {
  repositories(scope: Scope, input: Of<typeof inputs.listRepositories>): Promise<views.Page<views.RepositoryView>>
  repository(scope: Scope, input: Of<typeof inputs.repository>): Promise<views.RepositoryView>
  tags(scope: Scope, input: Of<typeof inputs.listTags>): Promise<views.Page<views.TagView>>
  /** What a tag named, the newest first; also of a tag that is not there any more. */
  history(scope: Scope, input: Of<typeof inputs.tagHistory>): Promise<views.TagHistoryView>
  /** Manifests without a tag, the newest first. */
  untagged(scope: Scope, input: Of<typeof inputs.listUntagged>): Promise<views.UntaggedPageView>
  /** Sets a tag to an image that is there, as a push of it would. `moved`: it named another one, or was not there. */
  pointTag(scope: Scope, input: Of<typeof inputs.pointTag>): Promise<{ moved: boolean }>
  get(scope: Scope, input: Of<typeof inputs.image>): Promise<views.ImageView>
  /** As a tar; the stream ends with an error when it breaks off, and with `signal`. */
  archive(scope: Scope, input: Of<typeof inputs.imageArchive>, signal: AbortSignal): Promise<{ stream: Readable; filename: string }>
  /** What is attached to an image; null where nothing is. Throws `ATTESTATION_INVALID` for what cannot be read. */
  sbom(scope: Scope, input: Of<typeof inputs.image>): Promise<views.SbomView | null>
  provenance(scope: Scope, input: Of<typeof inputs.image>): Promise<views.ProvenanceView | null>
  /** All that is attached, the newest first, a hundred at most. */
  attached(scope: Scope, input: Of<typeof inputs.image>): Promise<views.AttachmentView[]>
  /** The document as it was attached, with a name for its file. */
  attestation(scope: Scope, input: Of<typeof inputs.attestation>): Promise<views.DocumentView | null>
  delete(scope: Scope, input: Of<typeof inputs.deleteImage>): Promise<{ tags: string[]; manifest: string | null }>
}

export interface HostsService {
  /** Hosts of the installation, with this organization's containers on them. */
  list(scope: Scope): Promise<views.HostView[]>
  /** These three are for those who run the installation's hosts. */
  buildPolicy(scope: Scope, input: Of<typeof inputs.host>): Promise<views.BuildPolicyView>
  /** What the build cache would lose by a policy; nothing is removed. */
  previewBuildPolicy(scope: Scope, input: Of<typeof inputs.setBuildPolicy>): Promise<BuildPolicyPreview>
  setBuildPolicy(scope: Scope, input: Of<typeof inputs.setBuildPolicy>): Promise<views.BuildPolicyView>
}

export interface BuildCacheService {
  get(scope: Scope): Promise<views.BuildCacheView>
  /** What `clear` would take; nothing is removed. */
  preview(scope: Scope, input: Of<typeof inputs.clearBuildCache>): Promise<views.BuildCacheClearedView>
  clear(scope: Scope, input: Of<typeof inputs.clearBuildCache>): Promise<views.BuildCacheClearedView>
}

export interface HealthService {
  get(): Promise<views.HealthView>
}

/** "Read again" moments of rows that a scope may read. */
export interface ChangesService {
  /** Yields at once, then at each signal on `channel` (true) and else every two seconds (false), until `signal`. */
  ticks(channel: string, signal: AbortSignal | undefined): AsyncIterable<boolean>
  /** Changes whenever something that lists and counts of the organization show has changed. */
  fingerprint(scope: Scope): Promise<string>
}

export type { PoliciesService, RepositoriesService } from './policies/service'

export interface Services {
  auth: AuthService
  setup: SetupService
  apiKeys: ApiKeysService
  organizations: OrganizationsService
  activity: ActivityService
  access: AccessService
  members: MembersService
  invitations: InvitationsService
  teams: TeamsService
  outgoing: OutgoingService
  replication: ReplicationService
  projects: ProjectsService
  apps: AppsService
  webhooks: WebhooksService
  builds: BuildsService
  inspections: InspectionsService
  contexts: ContextsService
  deployments: DeploymentsService
  images: ImagesService
  files: FilesService
  hosts: HostsService
  buildCache: BuildCacheService
  robots: RobotsService
  shares: SharesService
  logins: LoginsService
  policies: PoliciesService
  repositories: RepositoriesService
  storage: StorageService
  registryKeys: RegistryKeysService
  upstreams: UpstreamsService
  health: HealthService
  changes: ChangesService
}
