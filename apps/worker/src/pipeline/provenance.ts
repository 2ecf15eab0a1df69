/**
 * Takes: what the pipeline knows of a build that has an image.
 * Gives: an in-toto statement with SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance). Values of secrets are not in it.
 */
import { createHash } from 'node:crypto'
import {
  BUILD_TYPE,
  type BuildParameters,
  type BuildPlan,
  OWN_REGISTRY_HOST,
  type ProvenanceStatement,
  SLSA_PROVENANCE,
  UPLOADED_CONTEXT,
} from '@slipway/contracts'
import type { BuildRunRow } from '@slipway/db'
import { formatPlatform } from '@slipway/dockerfile'
import { formatReference, originalReference, parseReference } from '@slipway/oci'
import type { Commit } from './checkout'
import { inputsOf } from './inputs'
import type { GitMaterial, UploadedMaterial } from './plan'

export interface BuiltFrom {
  /** slipway.local/acme/shop */
  repository: string
  /** `sha256:…` of the manifest in the registry. */
  digest: string
  source:
    | { kind: 'git'; url: string; branch: string; commit: Commit }
    | { kind: 'upload'; tree: string; dockerfilePath: string; target: string | null }
  /** Which of the plan's images. */
  platform: string
  /** As it was built, and whose it is: it need not lie in the repository. */
  dockerfile: { text: string; origin: string }
  plan: BuildPlan
  gitContexts: GitMaterial[]
  uploadedContexts: UploadedMaterial[]
  /** By vertex: the digest of what an ADD of a URL fetched. */
  fetched: ReadonlyMap<string, string>
  buildArgs: Record<string, string>
  /** Names of what the build was given as secrets, beside the app's secret variables. */
  secrets: string[]
  startedAt: Date
  finishedAt: Date
}

/** `webUrl` names the installation: who trusts it trusts what it says of its builds. */
export function provenance(
  build: BuildRunRow,
  from: BuiltFrom,
  { webUrl, version }: { webUrl: string; version: string },
): ProvenanceStatement {
  const { app } = build
  const { source } = from
  const secret = app.variables.filter((variable) => variable.scope === 'build' && variable.secret).map(({ key }) => key)
  const secrets = [...new Set([...secret, ...from.secrets])].sort()
  const parameters: BuildParameters = {
    ...sourceParameters(app, source),
    buildArgs: Object.fromEntries(Object.entries(from.buildArgs).filter(([key]) => !secrets.includes(key))),
    secrets,
  }
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: from.repository, digest: digestSet(from.digest) }],
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: parameters,
        internalParameters: {
          platform: from.platform,
          dockerfileOrigin: from.dockerfile.origin,
          dockerfileDigest: { sha256: createHash('sha256').update(from.dockerfile.text).digest('hex') },
          trigger: build.trigger,
          noCache: build.noCache,
        },
        resolvedDependencies: once([
          source.kind === 'git'
            ? { uri: `git+${withoutCredentials(source.url)}@refs/heads/${source.branch}`, digest: { gitCommit: source.commit.sha } }
            : { uri: UPLOADED_CONTEXT, digest: digestSet(source.tree) },
          ...materials(from),
        ]),
      },
      runDetails: {
        builder: { id: `${webUrl}/builder`, version: { slipway: version } },
        metadata: {
          invocationId: `${webUrl}/${app.organization.slug}/apps/${app.slug}/builds/${build.number}`,
          startedOn: from.startedAt.toISOString(),
          finishedOn: from.finishedAt.toISOString(),
        },
      },
    },
  }
}

function sourceParameters(app: BuildRunRow['app'], source: BuiltFrom['source']) {
  if (source.kind === 'upload') {
    const { tree, dockerfilePath, target } = source
    return { tree, dockerfile: dockerfilePath, context: '.', ...(target && { target }) }
  }
  return {
    repository: withoutCredentials(source.url),
    ref: `refs/heads/${source.branch}`,
    commit: source.commit.sha,
    dockerfile: app.dockerfilePath,
    context: app.contextPath,
    ...(app.target && { target: app.target }),
  }
}

/** A `ResourceDescriptor` of in-toto. */
interface Material {
  uri: string
  /** What the build calls it, where the address does not say. */
  name?: string
  digest: Record<string, string>
}

/** Base images, what `COPY --from` and `RUN --mount` take from, contexts and files behind URLs; only what the image of that platform needs. */
function materials({ plan, platform, gitContexts, uploadedContexts, fetched }: BuiltFrom): Material[] {
  const found: Material[] = []
  const target = [plan, ...(plan.more ?? [])].find((one) => formatPlatform(one.platform) === platform) ?? plan
  const needed = new Set([target.target])
  // Inputs come before their users.
  for (const { id, op } of plan.vertices.toReversed()) {
    if (!needed.has(id)) continue
    for (const input of inputsOf(op)) needed.add(input)
    if (op.type === 'image') found.push({ uri: `oci://${originalName(op.reference)}`, digest: digestSet(op.digest) })
    if (op.type === 'context') {
      const git = gitContexts.find(({ name }) => name === op.name)
      if (git) found.push({ uri: `git+${withoutCredentials(git.url)}${git.ref && `@${git.ref}`}`, digest: { gitCommit: git.sha } })
      const uploaded = uploadedContexts.find(({ context }) => context === op.name)
      if (uploaded) found.push({ uri: UPLOADED_CONTEXT, name: uploaded.name, digest: digestSet(uploaded.tree) })
    }
    const checksum = op.type === 'http' ? (op.checksum ?? fetched.get(id)) : undefined
    if (op.type === 'http' && checksum) found.push({ uri: withoutQuery(op.url), digest: digestSet(checksum) })
  }
  return found.reverse()
}

/** The same bytes from the same place are one material, whatever the build calls them. */
function once(materials: Material[]): Material[] {
  const found = new Map<string, Material>()
  for (const material of materials) {
    const key = JSON.stringify([material.uri, material.digest])
    if (!found.has(key)) found.set(key, material)
  }
  return [...found.values()]
}

function digestSet(digest: string): Record<string, string> {
  const [algorithm = 'sha256', value = ''] = digest.split(':')
  return { [algorithm]: value }
}

/** What others know the image by, also when it came through our cache. */
function originalName(reference: string): string {
  if (!reference.startsWith(`${OWN_REGISTRY_HOST}/`)) return reference
  return formatReference(originalReference(parseReference(reference), OWN_REGISTRY_HOST))
}

/** Whoever wrote a token into the address did not mean to publish it. */
function withoutCredentials(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  url.username = ''
  url.password = ''
  return url.href
}

/** Signed addresses carry their signature there; the digest says which file it was. */
function withoutQuery(address: string): string {
  return withoutCredentials(address).replace(/[?#].*$/s, '')
}
