import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Actor } from '../scope'

/** Where a person is logged in to the registry, as docker keeps it. */
export interface LoginsService {
  list(userId: string): Promise<views.RegistryLoginView[]>
  /** The client is refused from its next token on. */
  end(actor: Actor, input: z.infer<typeof inputs.endLogin>): Promise<{ id: string }>
}
