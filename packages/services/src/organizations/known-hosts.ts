import { createHash } from 'node:crypto'
import type { views } from '@slipway/contracts'
import { notFound } from '@slipway/core'
import { forgetKnownHost, type KnownHost, listKnownHosts } from '@slipway/db'
import { audit } from '../audit'
import type { Deps } from '../deps'
import { assertMay } from '../roles'
import type { OrganizationsService } from '../services'

export const knownHostMethods = (deps: Deps): Pick<OrganizationsService, 'knownHosts' | 'forgetKnownHost'> => ({
  knownHosts: async (scope) => (await listKnownHosts(deps.db, scope.organizationId)).map(viewOf),

  async forgetKnownHost(scope, input) {
    assertMay(scope, 'manage members')
    await deps.db.$transaction(async (tx) => {
      const row = await forgetKnownHost(tx, scope.organizationId, input.id)
      if (!row) throw notFound('known host', 'KNOWN_HOST_NOT_FOUND')
      await audit(tx, scope, 'knownHost.forget', { type: 'knownHost', id: row.id, label: row.host }, { key: fingerprint(row.key) })
    })
    return (await listKnownHosts(deps.db, scope.organizationId)).map(viewOf)
  },
})

const fingerprint = (key: string) => `SHA256:${createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64').replace(/=+$/, '')}`

const viewOf = ({ id, host, keyType, key, createdAt }: KnownHost): views.KnownHostView => ({
  id,
  host,
  keyType,
  fingerprint: fingerprint(key),
  createdAt,
})
