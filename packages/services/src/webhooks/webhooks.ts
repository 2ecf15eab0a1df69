import type { views } from '@slipway/contracts'
import { notFound } from '@slipway/core'
import { findWebhookOfApp, rotateWebhookSecret } from '@slipway/db'
import { newWebhookSecret } from '../apps/create'
import { loadApp } from '../apps/load'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { WebhooksService } from '../services'
import { receiveMethod } from './receive'

export const createWebhooks = (deps: Deps): WebhooksService => {
  const get: WebhooksService['get'] = async (scope, input) => {
    assertMay(scope, 'read secrets')
    const app = await loadApp(deps.db, scope, input.app)
    const webhook = await findWebhookOfApp(deps.db, scope.organizationId, app.id)
    if (!webhook) throw notFound('webhook')
    return {
      url: `${deps.config.webUrl}/api/webhooks/${webhook.id}`,
      secret: deps.sealer.open(webhook.secret, { kind: 'webhook', organizationId: scope.organizationId, id: webhook.id }),
      providers: ['github', 'gitlab', 'gitea'],
      deliveries: webhook.deliveries.map(
        (row): views.DeliveryView => ({
          id: row.id,
          provider: row.provider,
          event: row.event,
          deliveryId: row.deliveryId,
          branch: row.branch,
          commitSha: row.commitSha,
          outcome: row.outcome,
          status: row.status,
          reason: row.reason,
          build: row.build?.number ?? null,
          receivedAt: row.receivedAt,
        }),
      ),
    }
  }

  return {
    get,
    async rotateSecret(scope, input) {
      assertMay(scope, 'change')
      const app = await loadApp(deps.db, scope, input.app)
      const { organizationId } = scope
      await deps.db.$transaction(async (tx) => {
        const webhook = await findWebhookOfApp(tx, organizationId, app.id)
        if (!webhook) throw notFound('webhook')
        await rotateWebhookSecret(
          tx,
          organizationId,
          app.id,
          deps.sealer.seal(newWebhookSecret(), { kind: 'webhook', organizationId, id: webhook.id }),
        )
        await audit(tx, scope, 'webhook.rotateSecret', { type: 'app', id: app.id, label: app.name })
      })
      announce(deps, { organizationId, appId: app.id })
      return get(scope, input)
    },
    receive: receiveMethod(deps),
  }
}
