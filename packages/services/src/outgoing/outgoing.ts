import type { views } from '@slipway/contracts'
import { AppError, type EventKind, newId, notFound } from '@slipway/core'
import {
  createDeliveries,
  createOutgoing as createRow,
  deleteOutgoing,
  findDelivery,
  findOutgoing,
  listDeliveries,
  listOutgoing,
  type OutgoingDeliveryRow,
  type OutgoingWebhookRow,
  updateOutgoing,
} from '@slipway/db'
import { audit } from '../audit'
import { announce, type Deps, startJob } from '../deps'
import { assertRunsHosts, mayRunHosts } from '../hosts/operator'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import { tooManyWebhooks } from './deliver'
import { bodyOf, newSecret } from './message'
import type { OutgoingService } from './service'

const MAX_WEBHOOKS = 20

export const createOutgoing = (deps: Deps): OutgoingService => {
  const { db } = deps

  async function load(scope: Scope, id: string): Promise<OutgoingWebhookRow> {
    assertMay(scope, 'manage registry')
    const row = await findOutgoing(db, scope.organizationId, id)
    if (!row) throw notFound('webhook', 'WEBHOOK_NOT_FOUND')
    return row
  }

  const list: OutgoingService['list'] = async (scope) => {
    assertMay(scope, 'manage registry')
    const [rows, mayReachInside] = await Promise.all([listOutgoing(db, scope.organizationId), mayRunHosts(db, scope)])
    return {
      webhooks: rows.map((row) => {
        const last = row.deliveries[0]
        return { ...webhookView(row), last: last ? { state: last.state, at: last.finishedAt ?? last.createdAt } : null }
      }),
      mayReachInside,
    }
  }

  const seal = (scope: Scope, id: string, secret: string) =>
    deps.sealer.seal(secret, { kind: 'outgoing', organizationId: scope.organizationId, id })
  const targetOf = ({ id, name }: { id: string; name: string }) => ({ type: 'outgoing', id, label: name })

  async function send(
    scope: Scope,
    webhook: OutgoingWebhookRow,
    what: { kind: string; repository: string | null; body: string },
    action: string,
  ) {
    if (!webhook.enabled)
      throw new AppError({ kind: 'conflict', code: 'WEBHOOK_OFF', message: 'The webhook is turned off. Turn it on first.' })
    const id = newId('outgoingDelivery')
    const { organizationId } = scope
    await db.$transaction(async (tx) => {
      await createDeliveries(tx, [{ id, organizationId, webhookId: webhook.id, dedupeKey: null, ...what }])
      await audit(tx, scope, action, targetOf(webhook), { delivery: id })
    })
    await startJob(deps, 'deliver', { deliveryId: id })
    return { id }
  }

  return {
    list,

    async create(scope, input) {
      assertMay(scope, 'manage registry')
      if (input.inside) await assertRunsHosts(db, scope)
      const id = newId('outgoingWebhook')
      const secret = newSecret()
      const { organizationId } = scope
      await db.$transaction(async (tx) => {
        if ((await listOutgoing(tx, organizationId)).length >= MAX_WEBHOOKS) throw tooManyWebhooks(MAX_WEBHOOKS)
        const { name, url, events, repositories, inside } = input
        await createRow(tx, { id, organizationId, name, url, events, repositories, inside, secret: seal(scope, id, secret) })
        await audit(tx, scope, 'outgoing.create', targetOf({ id, name }), { host: new URL(url).host, events })
      })
      announce(deps, { organizationId })
      return { id, secret }
    },

    async update(scope, input) {
      const webhook = await load(scope, input.id)
      const { name, url, events, repositories, inside, enabled } = input
      // Who may not allow it may not turn such a webhook to another address either.
      const reaches = inside ?? webhook.inside
      if (reaches && (inside === true || url !== undefined)) await assertRunsHosts(db, scope)
      const on = enabled === true && !webhook.enabled ? { failingSince: null, disabledReason: null } : {}
      const data = { name, url, events, repositories, inside, enabled, ...on }
      await db.$transaction(async (tx) => {
        await updateOutgoing(tx, scope.organizationId, webhook.id, data)
        const changed = Object.entries(data).flatMap(([key, value]) => (value === undefined ? [] : [key]))
        await audit(tx, scope, 'outgoing.update', targetOf({ id: webhook.id, name: name ?? webhook.name }), { changed })
      })
      announce(deps, { organizationId: scope.organizationId })
      return list(scope)
    },

    async rotateSecret(scope, input) {
      const webhook = await load(scope, input.id)
      const secret = newSecret()
      await db.$transaction(async (tx) => {
        await updateOutgoing(tx, scope.organizationId, webhook.id, { secret: seal(scope, webhook.id, secret) })
        await audit(tx, scope, 'outgoing.rotateSecret', targetOf(webhook))
      })
      return { id: webhook.id, secret }
    },

    async delete(scope, input) {
      const webhook = await load(scope, input.id)
      await db.$transaction(async (tx) => {
        await deleteOutgoing(tx, scope.organizationId, webhook.id)
        await audit(tx, scope, 'outgoing.delete', targetOf(webhook))
      })
      announce(deps, { organizationId: scope.organizationId })
      return list(scope)
    },

    async test(scope, input) {
      const webhook = await load(scope, input.id)
      const event = { id: newId('event'), kind: 'ping', repository: null, actorLabel: scope.actor.label, createdAt: new Date() }
      const body = bodyOf({ ...event, data: { webhook: webhook.name } }, scope.organization)
      return send(scope, webhook, { kind: 'ping', repository: null, body }, 'outgoing.test')
    },

    async deliveries(scope, input) {
      const webhook = await load(scope, input.id)
      const page = await listDeliveries(db, scope.organizationId, webhook.id, input, input.state)
      return { items: page.rows.map(deliveryView), next: page.next, total: page.total }
    },

    async delivery(scope, input) {
      assertMay(scope, 'manage registry')
      const row = await findDelivery(db, scope.organizationId, input.id)
      if (!row) throw notFound('delivery', 'DELIVERY_NOT_FOUND')
      const headers = (value: unknown) => (value ?? {}) as Record<string, string>
      return {
        ...deliveryView(row),
        request: { headers: headers(row.requestHeaders), body: row.body },
        response: row.status === null ? null : { headers: headers(row.responseHeaders), body: row.responseBody ?? '' },
      }
    },

    async redeliver(scope, input) {
      assertMay(scope, 'manage registry')
      const row = await findDelivery(db, scope.organizationId, input.id)
      if (!row) throw notFound('delivery', 'DELIVERY_NOT_FOUND')
      return send(scope, row.webhook, { kind: row.kind, repository: row.repository, body: row.body }, 'outgoing.redeliver')
    },
  }
}

const webhookView = (row: OutgoingWebhookRow): Omit<views.OutgoingView, 'last'> => ({
  id: row.id,
  name: row.name,
  url: row.url,
  events: row.events as EventKind[],
  repositories: row.repositories,
  enabled: row.enabled,
  inside: row.inside,
  failingSince: row.failingSince,
  disabledReason: row.disabledReason,
  createdAt: row.createdAt,
})

const deliveryView = (row: Omit<OutgoingDeliveryRow, 'body' | 'responseBody'>): views.OutgoingDeliveryView => ({
  id: row.id,
  kind: row.kind as EventKind,
  repository: row.repository,
  state: row.state,
  attempt: row.attempt,
  nextAttemptAt: row.nextAttemptAt,
  status: row.status,
  error: row.error,
  durationMs: row.durationMs,
  createdAt: row.createdAt,
  finishedAt: row.finishedAt,
})
