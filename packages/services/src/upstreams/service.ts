import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Upstreams are the installation's: everybody sees those that they may pull through, owners and admins of the first organization change them. */
export interface UpstreamsService {
  list(scope: Scope): Promise<views.UpstreamsView>
  create(scope: Scope, input: Of<typeof inputs.createUpstream>): Promise<{ id: string }>
  update(scope: Scope, input: Of<typeof inputs.updateUpstream>): Promise<{ id: string }>
  /** With everything that was kept of it. */
  remove(scope: Scope, input: Of<typeof inputs.upstream>): Promise<{ id: string }>
  /** What was kept goes; the upstream stays. Gives how much that was. */
  empty(scope: Scope, input: Of<typeof inputs.upstream>): Promise<{ bytes: number }>
  test(scope: Scope, input: Of<typeof inputs.testUpstream>): Promise<views.UpstreamTestView>
}
