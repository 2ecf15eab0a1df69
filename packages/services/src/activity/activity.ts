import { Readable } from 'node:stream'
import type { views } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { type AuditEvent, auditFacets, auditTargets, countAudit, listAudit, readAudit } from '@slipway/db'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import { detailOf } from './detail'
import { csvHead, csvRow, ndjsonRow } from './formats'
import type { ActivityService } from './service'

/** Of one file. A spreadsheet takes ten times as many; a year of a busy organization is less. */
const MAX_EXPORT = 100_000
const MAX_FACETS = 200

export const createActivity = (deps: Deps): ActivityService => ({
  async list(scope, { cursor, limit, ...filter }) {
    const { rows, next, total } = await listAudit(deps.db, scope.organizationId, { cursor, limit }, filter)
    return { items: await auditViews(deps, scope, rows), next, total }
  },

  facets: (scope) => auditFacets(deps.db, scope.organizationId, MAX_FACETS),

  async export(scope, { format, ...filter }, signal) {
    const { organizationId } = scope
    if ((await countAudit(deps.db, organizationId, filter, MAX_EXPORT)) > MAX_EXPORT)
      throw new AppError({
        kind: 'too-large',
        code: 'AUDIT_TOO_LARGE',
        message: `More than ${MAX_EXPORT.toLocaleString('en')} events match. Choose a shorter time, one person or one kind.`,
      })
    async function* lines() {
      if (format === 'csv') yield csvHead
      const row = format === 'csv' ? csvRow : ndjsonRow
      for await (const rows of readAudit(deps.db, organizationId, filter, MAX_EXPORT)) {
        signal.throwIfAborted()
        yield rows.map(row).join('')
      }
    }
    return {
      stream: Readable.from(lines(), { objectMode: false }),
      filename: `activity-${scope.organization}-${new Date().toISOString().slice(0, 10)}.${format}`,
      contentType: format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
    }
  },
})

async function auditViews(deps: Pick<Deps, 'db'>, scope: Scope, rows: AuditEvent[]): Promise<views.AuditView[]> {
  const idsOf = (type: string) => [...new Set(rows.flatMap((row) => (row.targetType === type && row.targetId ? [row.targetId] : [])))]
  const known = await auditTargets(deps.db, scope.organizationId, { apps: idsOf('app'), repositories: idsOf('repository') })
  return rows.map((row) => ({
    id: row.id,
    actor: row.actorLabel,
    action: row.action,
    targetType: row.targetType,
    targetLabel: row.targetLabel,
    link: linkOf(row, known),
    detail: detailOf(row),
    createdAt: row.createdAt,
  }))
}

function linkOf(row: AuditEvent, known: Awaited<ReturnType<typeof auditTargets>>): views.AuditLink | null {
  const id = row.targetId ?? ''
  if (row.targetType === 'app') {
    const app = known.apps.get(id)
    if (app === undefined) return null
    const number = (row.data as { number?: unknown } | null)?.number
    if (typeof number !== 'number') return { kind: 'app', app }
    return { kind: row.action.startsWith('build.') ? 'build' : 'deployment', app, number }
  }
  if (row.targetType !== 'repository') return null
  const repository = known.repositories.get(id)
  if (repository === undefined) return null
  if (row.action !== 'image.push') return { kind: 'image', repository, reference: null }
  // By its digest: the tag names something else by now, perhaps.
  const digest = (row.data as { digest?: unknown } | null)?.digest
  return { kind: 'image', repository, reference: typeof digest === 'string' ? digest : null }
}
