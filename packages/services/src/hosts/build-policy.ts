/**
 * What a host's build cache keeps. Postgres is the truth; the agent is told right after a change, and by the worker of its host whenever it
 * has another policy than the row (`apps/worker/src/sweep/host.ts`).
 */
import { type BuildPolicy, type BuildPolicyView, buildPolicy, samePolicy, type views } from '@slipway/contracts'
import { AppError, notFound } from '@slipway/core'
import { hostBuildPolicy, setHostBuildPolicy } from '@slipway/db'
import { audit } from '../audit'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import type { HostsService } from '../services'
import { assertRunsHosts } from './operator'

type Part = Pick<HostsService, 'buildPolicy' | 'previewBuildPolicy' | 'setBuildPolicy'>

export const createBuildPolicy = ({ db, agent, log }: Pick<Deps, 'db' | 'agent' | 'log'>): Part => {
  const load = async (scope: Scope, id: string) => {
    await assertRunsHosts(db, scope)
    const host = await hostBuildPolicy(db, id)
    if (!host) throw notFound('host', 'HOST_NOT_FOUND')
    // This installation speaks to one agent; of another host it could only guess.
    if ((await agent.health()).instance === host.instance) return host
    throw new AppError({
      kind: 'unavailable',
      code: 'HOST_NOT_REACHED',
      message: `${host.name} does not answer here. Try again when it is online.`,
    })
  }
  return {
    async buildPolicy(scope, { host: id }) {
      const host = await load(scope, id)
      return view(stored(host.buildPolicy), await agent.buildPolicy())
    },
    async previewBuildPolicy(scope, { host: id, policy }) {
      await load(scope, id)
      return await agent.previewBuildPolicy(policy)
    },
    async setBuildPolicy(scope, { host: id, policy }) {
      const host = await load(scope, id)
      // The host knows its disk: what it cannot have is refused before anything is kept.
      const gone = await agent.previewBuildPolicy(policy)
      await db.$transaction(async (tx) => {
        await setHostBuildPolicy(tx, id, policy)
        const before = stored(host.buildPolicy)
        await audit(tx, scope, 'build-policy.set', { type: 'host', id, label: host.name }, { before, after: policy, removes: gone.bytes })
      })
      try {
        return view(policy, await agent.setBuildPolicy(policy))
      } catch (error) {
        log.warn({ err: error, host: host.name }, 'the build policy waits for the worker: the agent went away')
        return view(policy, await agent.buildPolicy())
      }
    },
  }
}

/** null for none, and for one of another version: the host then keeps what it has. */
const stored = (value: unknown): BuildPolicy | null => buildPolicy.safeParse(value).data ?? null

const view = (set: BuildPolicy | null, { set: has, defaults, disk }: BuildPolicyView): views.BuildPolicyView => ({
  set,
  applied: set === null || samePolicy(set, has),
  defaults,
  disk,
})
