import type { views } from '@slipway/contracts'
import { notFound } from '@slipway/core'
import { deleteRefreshToken, listMemberships, listRefreshTokens, writeAudit } from '@slipway/db'
import type { Deps } from '../deps'
import type { LoginsService } from './service'

export const createLogins = ({ db }: Pick<Deps, 'db'>): LoginsService => ({
  async list(userId) {
    const rows = await listRefreshTokens(db, userId)
    return rows.map(
      ({ id, client, apiKey, createdAt, lastUsedAt, lastUsedFrom, expiresAt }): views.RegistryLoginView => ({
        id,
        client,
        apiKey: apiKey?.name ?? null,
        createdAt,
        lastUsedAt,
        lastUsedFrom,
        expiresAt,
      }),
    )
  },

  async end(actor, { id }) {
    const { userId } = actor
    if (!userId) throw notFound('account')
    await db.$transaction(async (tx) => {
      if (!(await deleteRefreshToken(tx, userId, id))) throw notFound('login', 'LOGIN_NOT_FOUND')
      for (const { organizationId } of await listMemberships(tx, userId))
        await writeAudit(tx, organizationId, {
          actorUserId: userId,
          actorLabel: actor.label,
          action: 'login.end',
          targetType: 'login',
          targetId: id,
          targetLabel: actor.label,
          ipAddress: actor.ip,
        })
    })
    return { id }
  },
})
