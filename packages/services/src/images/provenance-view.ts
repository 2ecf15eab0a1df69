/** A SLSA provenance as the image's page shows it: Slipway's own, or anyone's. */
import { BUILD_TYPE, type BuildParameters, buildParameters, type ProvenanceStatement, type views } from '@slipway/contracts'

const MATERIALS = 100

export function provenanceView({ predicate }: ProvenanceStatement): Omit<views.ProvenanceView, keyof views.AttachedView> {
  const { buildDefinition, runDetails } = predicate
  const own = buildDefinition.buildType === BUILD_TYPE ? buildParameters.safeParse(buildDefinition.externalParameters) : null
  const { metadata, builder } = runDetails
  const platform = own?.success ? buildDefinition.internalParameters?.platform : null
  return {
    buildType: buildDefinition.buildType,
    builder: builder.id,
    builderVersion: Object.values(builder.version ?? {})[0] ?? null,
    invocation: metadata?.invocationId ?? null,
    startedAt: date(metadata?.startedOn),
    finishedAt: date(metadata?.finishedOn),
    source: own?.success
      ? {
          git: gitOf(own.data),
          tree: own.data.tree ?? null,
          dockerfile: own.data.dockerfile,
          context: own.data.context,
          target: own.data.target ?? null,
        }
      : null,
    platform: typeof platform === 'string' ? platform.slice(0, 100) : null,
    buildArgs: own?.success ? Object.entries(own.data.buildArgs).map(([key, value]) => ({ key, value })) : [],
    secrets: own?.success ? own.data.secrets : [],
    materials: (buildDefinition.resolvedDependencies ?? []).slice(0, MATERIALS).map(({ uri, name, digest }) => {
      const [algorithm, value] = Object.entries(digest ?? {})[0] ?? []
      return { uri: uri ?? name ?? 'unnamed', name: name ?? null, digest: value === undefined ? null : `${algorithm}:${value}` }
    }),
  }
}

const gitOf = ({ repository, ref, commit }: BuildParameters) => (repository && ref && commit ? { repository, ref, commit } : null)

function date(text: string | null | undefined): Date | null {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? null : new Date(time)
}
