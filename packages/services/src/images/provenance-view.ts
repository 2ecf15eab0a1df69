/** A SLSA provenance as the image's page shows it: Slipway's own, or anyone's. */
import { BUILD_TYPE, buildParameters, type ProvenanceStatement, type views } from '@slipway/contracts'

const MATERIALS = 100

export function provenanceView({ predicate }: ProvenanceStatement): Omit<views.ProvenanceView, keyof views.AttachedView> {
  const { buildDefinition, runDetails } = predicate
  const own = buildDefinition.buildType === BUILD_TYPE ? buildParameters.safeParse(buildDefinition.externalParameters) : null
  const { metadata, builder } = runDetails
  return {
    buildType: buildDefinition.buildType,
    builder: builder.id,
    builderVersion: Object.values(builder.version ?? {})[0] ?? null,
    invocation: metadata?.invocationId ?? null,
    startedAt: date(metadata?.startedOn),
    finishedAt: date(metadata?.finishedOn),
    source: own?.success
      ? {
          repository: own.data.repository,
          ref: own.data.ref,
          commit: own.data.commit,
          dockerfile: own.data.dockerfile,
          context: own.data.context,
          target: own.data.target ?? null,
        }
      : null,
    buildArgs: own?.success ? Object.entries(own.data.buildArgs).map(([key, value]) => ({ key, value })) : [],
    secrets: own?.success ? own.data.secrets : [],
    materials: (buildDefinition.resolvedDependencies ?? []).slice(0, MATERIALS).map(({ uri, name, digest }) => {
      const [algorithm, value] = Object.entries(digest ?? {})[0] ?? []
      return { uri: uri ?? name ?? 'unnamed', digest: value === undefined ? null : `${algorithm}:${value}` }
    }),
  }
}

function date(text: string | null | undefined): Date | null {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? null : new Date(time)
}
