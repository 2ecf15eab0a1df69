/**
 * Takes: what the pipeline knows of a build that has an image.
 * Gives: an in-toto statement with SLSA provenance v1 (https://slsa.dev/spec/v1.0/provenance). Values of secrets are not in it.
 */
import { createHash } from 'node:crypto'
import { BUILD_TYPE, type BuildParameters, type BuildPlan, type ProvenanceStatement, SLSA_PROVENANCE } from '@slipway/contracts'
import type { BuildRunRow } from '@slipway/db'
import type { Commit } from './checkout'

export interface BuiltFrom {
  /** slipway.local/acme/shop */
  repository: string
  /** `sha256:…` of the manifest in the registry. */
  digest: string
  gitUrl: string
  branch: string
  commit: Commit
  /** As it was built, and whose it is: it need not lie in the repository. */
  dockerfile: { text: string; origin: string }
  plan: BuildPlan
  buildArgs: Record<string, string>
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
  const repository = withoutCredentials(from.gitUrl)
  const secret = app.variables.filter((variable) => variable.scope === 'build' && variable.secret).map(({ key }) => key)
  const parameters: BuildParameters = {
    repository,
    ref: `refs/heads/${from.branch}`,
    commit: from.commit.sha,
    dockerfile: app.dockerfilePath,
    context: app.contextPath,
    ...(app.target && { target: app.target }),
    buildArgs: Object.fromEntries(Object.entries(from.buildArgs).filter(([key]) => !secret.includes(key))),
    secrets: secret.sort(),
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
          platform: [from.plan.platform.os, from.plan.platform.architecture, from.plan.platform.variant].filter(Boolean).join('/'),
          dockerfileOrigin: from.dockerfile.origin,
          dockerfileDigest: { sha256: createHash('sha256').update(from.dockerfile.text).digest('hex') },
          trigger: build.trigger,
          noCache: build.noCache,
        },
        resolvedDependencies: [
          { uri: `git+${repository}@refs/heads/${from.branch}`, digest: { gitCommit: from.commit.sha } },
          ...materials(from.plan),
        ],
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

/** Base images, what `COPY --from` takes from, and files that ADD fetches by a checksum; each once. */
function materials(plan: BuildPlan) {
  const found = new Map<string, { uri: string; digest: Record<string, string> }>()
  for (const { op } of plan.vertices) {
    if (op.type === 'image') found.set(op.reference, { uri: `oci://${op.reference}`, digest: digestSet(op.digest) })
    if (op.type === 'http' && op.checksum) found.set(op.url, { uri: withoutCredentials(op.url), digest: digestSet(op.checksum) })
  }
  return [...found.values()]
}

function digestSet(digest: string): Record<string, string> {
  const [algorithm = 'sha256', value = ''] = digest.split(':')
  return { [algorithm]: value }
}

/** Whoever wrote a token into the address did not mean to publish it. */
function withoutCredentials(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  url.username = ''
  url.password = ''
  return url.href
}
