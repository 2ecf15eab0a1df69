/** An organization's part of its host's build cache: what is there, what a clean-up would take, and the clean-up. */
import { type BuildCachePruned, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { audit } from '../audit'
import type { Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { BuildCacheService } from '../services'

const DAY_MS = 24 * 3600 * 1000
/** Entries that a page lists. */
const SHOWN = 50

type Record = BuildCachePruned['records'][number]

export const createBuildCache = (deps: Deps): BuildCacheService => {
  const prune = async (scope: Scope, { kind, unusedDays }: Parameters<BuildCacheService['preview']>[1], dryRun: boolean) => {
    const unusedForMs = (unusedDays ?? 0) * DAY_MS
    return cleared(await deps.agent.pruneBuildCache({ ...mine(scope), unusedForMs, dryRun, ...(kind && { kind }) }))
  }
  return {
    async get(scope) {
      const { scope: id, images } = mine(scope)
      const { policy, scopes, records, more } = await deps.agent.buildCache(id, images)
      const sum = (of: 'bytes' | 'layers' | 'mounts') => scopes.reduce((total, one) => total + one[of], 0)
      return {
        bytes: sum('bytes'),
        layers: sum('layers'),
        mounts: sum('mounts'),
        maxBytes: policy.maxBytes,
        unusedDays: policy.unusedMs > 0 ? Math.round(policy.unusedMs / DAY_MS) : null,
        entries: records.slice(0, SHOWN).map(entryView),
        more: more + Math.max(0, records.length - SHOWN),
      }
    },
    preview: (scope, input) => prune(scope, input, true),
    async clear(scope, input) {
      assertMay(scope, 'change')
      const result = await prune(scope, input, false)
      const label = input.kind === 'mount' ? 'cache mounts' : input.kind === 'layer' ? 'steps' : 'everything'
      await deps.db.$transaction((tx) =>
        audit(tx, scope, 'build-cache.clear', { type: 'build-cache', id: null, label }, { entries: result.count, bytes: result.bytes }),
      )
      return result
    },
  }
}

/** What other organizations have of equal layers must not show, neither by name nor by what a clean-up frees. */
const mine = (scope: Scope) => ({ scope: scope.organizationId, images: `${OWN_REGISTRY_HOST}/${scope.organization}/` })

const cleared = ({ entries, bytes, records, more }: BuildCachePruned): views.BuildCacheClearedView => ({
  count: entries,
  bytes,
  entries: records.slice(0, SHOWN).map(entryView),
  more: more + Math.max(0, records.length - SHOWN),
})

const entryView = (record: Record): views.BuildCacheEntryView => ({
  id: record.id,
  kind: record.kind,
  text: record.text || null,
  repository: record.app?.replace(`${OWN_REGISTRY_HOST}/`, '') || null,
  bytes: record.bytes,
  createdAt: new Date(record.createdAt),
  lastUsedAt: new Date(record.lastUsedAt),
  uses: record.uses,
  inUse: record.inUse,
  keptBy: record.keptBy,
})
