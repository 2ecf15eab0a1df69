import type { Readable } from 'node:stream'
import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** The audit log: what happened, by whom. */
export interface ActivityService {
  list(scope: Scope, input: Of<typeof inputs.listAudit>): Promise<views.Page<views.AuditView>>
  /** Who and what there is to filter by. */
  facets(scope: Scope): Promise<views.AuditFacetsView>
  /** AUDIT_TOO_LARGE when more events match than one file may hold. The stream ends with `signal`. */
  export(
    scope: Scope,
    input: Of<typeof inputs.exportAudit>,
    signal: AbortSignal,
  ): Promise<{ stream: Readable; filename: string; contentType: string }>
}
