import { type inputs, OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError, isAppError, newId, notFound } from '@slipway/core'
import {
  cancelReplicationRun,
  cancelReplicationRuns,
  createReplicationRule,
  createReplicationRuns,
  deleteReplicationRule,
  findReplicationRule,
  findReplicationRun,
  listReplicationItems,
  listReplicationRules,
  listReplicationRuns,
  openReplicationRun,
  type ReplicationRuleRow,
  replicationSums,
  updateReplicationRule,
} from '@slipway/db'
import type { z } from 'zod'
import { audit } from '../audit'
import { announce, type Deps, registryHost, startJob } from '../deps'
import { assertRunsHosts, mayRunHosts } from '../hosts/operator'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import { credentialsOf, openRemote, sealedFor } from './remote'
import type { ReplicationService } from './service'
import { itemView, ruleView, runView } from './views'

export const MAX_REPLICATION_RULES = 50
const TEST_DEADLINES = { headMs: 10_000, idleMs: 10_000 }

export const createReplication = (deps: Deps): ReplicationService => {
  const { db, sealer, config } = deps

  async function load(scope: Scope, id: string): Promise<ReplicationRuleRow> {
    assertMay(scope, 'manage registry')
    const row = await findReplicationRule(db, scope.organizationId, id)
    if (!row) throw notFound('replication rule', 'REPLICATION_RULE_NOT_FOUND')
    return row
  }

  async function loadRun(scope: Scope, id: string) {
    assertMay(scope, 'manage registry')
    const row = await findReplicationRun(db, scope.organizationId, id)
    if (!row) throw notFound('replication run', 'REPLICATION_RUN_NOT_FOUND')
    return row
  }

  const list: ReplicationService['list'] = async (scope) => {
    assertMay(scope, 'manage registry')
    const [rows, mayReachInside] = await Promise.all([listReplicationRules(db, scope.organizationId), mayRunHosts(db, scope)])
    const sums = await replicationSums(
      db,
      rows.flatMap(({ runs }) => runs.map(({ id }) => id)),
    )
    const rules = rows.map(({ runs: [last], ...row }) => ruleView(row, last ? runView(last, sums(last.id)) : null))
    return { rules, mayReachInside }
  }

  const viewOf = async (scope: Scope, id: string) => runView(await loadRun(scope, id), (await replicationSums(db, [id]))(id))
  const seal = (scope: Scope, id: string, password: string) => sealer.seal(password, sealedFor(scope.organizationId, id))
  const targetOf = ({ id, name }: { id: string; name: string }) => ({ type: 'replication', id, label: name })

  return {
    list,

    async create(scope, input) {
      assertMay(scope, 'manage registry')
      if (input.inside) await assertRunsHosts(db, scope)
      assertOther(config, input.remote)
      const id = newId('replicationRule')
      const { organizationId } = scope
      await db.$transaction(async (tx) => {
        if ((await listReplicationRules(tx, organizationId)).length >= MAX_REPLICATION_RULES) throw tooMany()
        const password = input.password ? seal(scope, id, input.password) : null
        await createReplicationRule(tx, { ...columns(input), id, organizationId, password, nextRunAt: next(input.everyMinutes) })
        const { direction, remote, repositories, tags } = input
        await audit(tx, scope, 'replication.create', targetOf({ id, name: input.name }), { direction, remote, repositories, tags })
      })
      announce(deps, { organizationId })
      return { id }
    },

    async update(scope, input) {
      const before = await load(scope, input.id)
      // Who may not allow it may not turn such a rule to another address either.
      if (input.inside && (!before.inside || input.remote !== before.remote)) await assertRunsHosts(db, scope)
      assertOther(config, input.remote)
      // A password must not be sent to another place than it was given for.
      const kept = input.password === undefined ? before.password : null
      if (kept && input.remote !== before.remote)
        throw new AppError({
          kind: 'bad-input',
          code: 'REPLICATION_PASSWORD_NEEDED',
          message: 'The address is another one now. Enter the password or token again, or remove it.',
          details: { field: 'password' },
        })
      const password = input.password ? seal(scope, before.id, input.password) : kept
      const data = { ...columns(input), password }
      // The next run stays where it was unless the interval is another one.
      const sameTimes = data.everyMinutes === before.everyMinutes && before.enabled === data.enabled
      await db.$transaction(async (tx) => {
        await updateReplicationRule(tx, scope.organizationId, before.id, {
          ...data,
          ...(!sameTimes && { nextRunAt: next(data.everyMinutes) }),
        })
        if (!data.enabled) await cancelReplicationRuns(tx, scope.organizationId, before.id)
        const fields = Object.entries(columns(input)) as [keyof ReplicationRuleRow, unknown][]
        const changed: string[] = fields.flatMap(([key, value]) => (JSON.stringify(value) === JSON.stringify(before[key]) ? [] : [key]))
        if (input.password !== undefined) changed.push('password')
        await audit(tx, scope, 'replication.update', targetOf({ id: before.id, name: data.name }), { changed })
      })
      announce(deps, { organizationId: scope.organizationId })
      return { id: before.id }
    },

    async delete(scope, { id }) {
      const rule = await load(scope, id)
      await db.$transaction(async (tx) => {
        await deleteReplicationRule(tx, scope.organizationId, rule.id)
        await audit(tx, scope, 'replication.delete', targetOf(rule))
      })
      announce(deps, { organizationId: scope.organizationId })
      return list(scope)
    },

    async test(scope, input) {
      const before = input.id === undefined ? null : await load(scope, input.id)
      if (!before) assertMay(scope, 'manage registry')
      if (input.inside && !(before?.inside && before.remote === input.remote)) await assertRunsHosts(db, scope)
      assertOther(config, input.remote)
      // The kept password goes to its own address only.
      const kept = before && input.password === undefined && before.remote === input.remote ? credentialsOf(before, sealer) : undefined
      const credentials = input.password ? { username: input.username, password: input.password } : kept
      const remote = openRemote({ ...input, credentials }, undefined, TEST_DEADLINES)
      const since = Date.now()
      const answer = (problem: string | null) => ({ problem, milliseconds: Date.now() - since })
      try {
        await remote.client.ping()
        return answer(null)
      } catch (error) {
        if (!isAppError(error) || error.kind === 'internal') throw error
        return answer(error.message)
      } finally {
        remote.close()
      }
    },

    async run(scope, { id }) {
      const rule = await load(scope, id)
      if (!rule.enabled)
        throw new AppError({ kind: 'conflict', code: 'REPLICATION_OFF', message: 'The rule is turned off. Turn it on first.' })
      const runId = newId('replicationRun')
      await db.$transaction(async (tx) => {
        if (await openReplicationRun(tx, rule.id))
          throw new AppError({ kind: 'conflict', code: 'REPLICATION_RUNS', message: 'The rule runs now. Wait for its end, or cancel it.' })
        const { organizationId } = scope
        await createReplicationRuns(tx, [{ id: runId, organizationId, ruleId: rule.id, trigger: 'manual', actorLabel: scope.actor.label }])
        await audit(tx, scope, 'replication.run', targetOf(rule), { run: runId })
      })
      await startJob(deps, 'replicate', { runId })
      announce(deps, { organizationId: scope.organizationId })
      return { id: runId }
    },

    async cancel(scope, { id }) {
      const { rule } = await loadRun(scope, id)
      await db.$transaction(async (tx) => {
        if (!(await cancelReplicationRun(tx, scope.organizationId, id))) return
        await audit(tx, scope, 'replication.cancel', targetOf(rule), { run: id })
      })
      await startJob(deps, 'replicate', { runId: id })
      announce(deps, { organizationId: scope.organizationId })
      return viewOf(scope, id)
    },

    async runs(scope, input) {
      const rule = await load(scope, input.id)
      const page = await listReplicationRuns(db, scope.organizationId, rule.id, input)
      const sums = await replicationSums(
        db,
        page.rows.map(({ id }) => id),
      )
      return { items: page.rows.map((row) => runView(row, sums(row.id))), next: page.next, total: page.total }
    },

    runOf: (scope, { id }) => viewOf(scope, id),

    async items(scope, { id, cursor, limit, state }) {
      const run = await loadRun(scope, id)
      const page = await listReplicationItems(db, run.id, { cursor: cursor == null ? null : Number(cursor), limit, state })
      return { items: page.rows.map(itemView), next: page.next, total: page.total }
    },
  }
}

const next = (everyMinutes: number | null) => (everyMinutes === null ? null : new Date(Date.now() + everyMinutes * 60_000))

type Settings = Omit<z.infer<typeof inputs.createReplication>, 'org' | 'password'>

/** What a form says, as the row has it; field by field, since a procedure's input holds the organization, too. */
const columns = ({ name, direction, remote, username, repositories, tags, target, onPush, everyMinutes, enabled, inside }: Settings) => ({
  name,
  direction,
  remote,
  username: username || null,
  repositories,
  tags,
  target,
  // What others have does not tell us when it changes.
  onPush: onPush && direction === 'push',
  everyMinutes,
  enabled,
  inside,
})

/** Copies of ours to ourselves are made with a tag or a transfer. */
function assertOther(config: Deps['config'], remote: string): void {
  const { host } = new URL(remote)
  if (host !== OWN_REGISTRY_HOST && host !== new URL(config.registryUrl).host && host !== registryHost(config)) return
  throw new AppError({
    kind: 'bad-input',
    code: 'REPLICATION_IS_THIS',
    message: 'This is the installation’s own registry. Write another registry’s address.',
    details: { field: 'remote' },
  })
}

const tooMany = () =>
  new AppError({
    kind: 'conflict',
    code: 'TOO_MANY_REPLICATION_RULES',
    message: `An organization has at most ${MAX_REPLICATION_RULES} rules of replication. Remove one first.`,
  })
