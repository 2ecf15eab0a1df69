import type { EventKind } from '@slipway/core'

/** An outgoing webhook; its secret is in no view but the answer that made it. */
export interface OutgoingView {
  id: string
  name: string
  url: string
  events: EventKind[]
  repositories: string[]
  enabled: boolean
  inside: boolean
  failingSince: Date | null
  /** Why it was turned off by itself. */
  disabledReason: string | null
  last: { state: OutgoingDeliveryView['state']; at: Date } | null
  createdAt: Date
}
export interface OutgoingListView {
  webhooks: OutgoingView[]
  /** Whether the reader may allow addresses inside the network. */
  mayReachInside: boolean
}
export interface OutgoingSecretView {
  id: string
  /** `whsec_…`, shown this once. */
  secret: string
}
export interface OutgoingDeliveryView {
  id: string
  kind: EventKind
  repository: string | null
  state: 'pending' | 'delivered' | 'failed'
  attempt: number
  nextAttemptAt: Date | null
  status: number | null
  error: string | null
  durationMs: number | null
  createdAt: Date
  finishedAt: Date | null
}
export interface OutgoingDeliveryDetail extends OutgoingDeliveryView {
  request: { headers: Record<string, string>; body: string }
  response: { headers: Record<string, string>; body: string } | null
}
