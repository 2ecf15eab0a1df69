import * as z from 'zod'
import { org } from './base'

/** Dates come as text in an address (the export) and as dates from the page. */
const instant = z.coerce.date().optional()
export const auditFilter = z.object({
  actor: z.string().max(200).optional(),
  action: z.string().max(100).optional(),
  query: z.string().trim().max(200).optional(),
  from: instant,
  to: instant,
})
export const exportAudit = org.extend({ ...auditFilter.shape, format: z.enum(['csv', 'ndjson']) })
