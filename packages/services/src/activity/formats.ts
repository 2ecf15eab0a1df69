import type { AuditEvent } from '@slipway/db'

/**
 * One cell. A spreadsheet takes what begins with these for a formula, and would run what an image's or a branch's name says;
 * an apostrophe before it makes it text (OWASP, "CSV Injection").
 */
export function csvCell(value: string): string {
  const safe = /^[=+\-@\t\r\n\0]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const COLUMNS = ['time', 'actor', 'actor id', 'action', 'target type', 'target id', 'target', 'address', 'data']
const line = (cells: string[]) => `${cells.map(csvCell).join(',')}\r\n`

export const csvHead = line(COLUMNS)

export const csvRow = (row: AuditEvent): string =>
  line([
    row.createdAt.toISOString(),
    row.actorLabel,
    row.actorUserId ?? '',
    row.action,
    row.targetType,
    row.targetId ?? '',
    row.targetLabel,
    row.ipAddress ?? '',
    row.data === null ? '' : JSON.stringify(row.data),
  ])

export const ndjsonRow = (row: AuditEvent): string =>
  `${JSON.stringify({
    id: row.id,
    time: row.createdAt.toISOString(),
    actor: { id: row.actorUserId, label: row.actorLabel },
    action: row.action,
    target: { type: row.targetType, id: row.targetId, label: row.targetLabel },
    address: row.ipAddress,
    data: row.data,
  })}\n`
