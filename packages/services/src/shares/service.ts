import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Links to one image, for people without an account. */
export interface SharesService {
  /** Those to this image that still open. */
  list(scope: Scope, input: Of<typeof inputs.listShares>): Promise<views.ShareView[]>
  create(scope: Scope, input: Of<typeof inputs.createShare>): Promise<views.CreatedShareView>
  revoke(scope: Scope, input: Of<typeof inputs.revokeShare>): Promise<views.ShareView>
  /** For whoever has the token. Null when it opens nothing, and why is nobody's business. */
  open(token: string): Promise<views.SharedImageView | null>
}
