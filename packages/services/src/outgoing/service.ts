import type { inputs, views } from '@slipway/contracts'
import type { EventRow, Tx } from '@slipway/db'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Outgoing webhooks: for those who manage the registry. */
export interface OutgoingService {
  list(scope: Scope): Promise<views.OutgoingListView>
  create(scope: Scope, input: Of<typeof inputs.createOutgoing>): Promise<views.OutgoingSecretView>
  update(scope: Scope, input: Of<typeof inputs.updateOutgoing>): Promise<views.OutgoingListView>
  /** Deliveries from now on are signed with the new secret. */
  rotateSecret(scope: Scope, input: Of<typeof inputs.outgoing>): Promise<views.OutgoingSecretView>
  delete(scope: Scope, input: Of<typeof inputs.outgoing>): Promise<views.OutgoingListView>
  /** Sends `ping`; the delivery tells what became of it. */
  test(scope: Scope, input: Of<typeof inputs.outgoing>): Promise<{ id: string }>
  deliveries(scope: Scope, input: Of<typeof inputs.listDeliveries>): Promise<views.Page<views.OutgoingDeliveryView>>
  delivery(scope: Scope, input: Of<typeof inputs.outgoing>): Promise<views.OutgoingDeliveryDetail>
  /** The same content once more, as a new delivery. */
  redeliver(scope: Scope, input: Of<typeof inputs.outgoing>): Promise<{ id: string }>
}

/** The worker's part. */
export interface OutgoingWork {
  /** In the transaction that takes the event out of the outbox: one delivery per webhook that hears of it; their ids. */
  handOn(tx: Tx, event: EventRow): Promise<string[]>
  /** One attempt, if the delivery is due. */
  deliver(deliveryId: string, now?: Date): Promise<'delivered' | 'failed' | 'again' | 'nothing'>
  close(): void
}
