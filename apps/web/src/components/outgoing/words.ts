import type { views } from '@slipway/contracts'
import type { EventKind } from '@slipway/core'
import type { Tone } from '@slipway/ui'

/** What a webhook can hear of, in the order of the form. */
export const EVENTS: { kind: Exclude<EventKind, 'ping'>; label: string; hint: string }[] = [
  { kind: 'push', label: 'Push', hint: 'a tag was set or moved' },
  { kind: 'delete', label: 'Delete', hint: 'a tag or an image was deleted' },
  { kind: 'scan', label: 'Scan', hint: 'files and packages of a pushed image were read' },
  { kind: 'deployment.live', label: 'Deployment live', hint: 'a version answers its address' },
  { kind: 'deployment.failed', label: 'Deployment failed', hint: 'the version before it keeps serving' },
  { kind: 'build.failed', label: 'Build failed', hint: 'with the reason' },
  { kind: 'quota.warning', label: 'Quota at 80 %', hint: 'the registry is filling up' },
  { kind: 'quota.exceeded', label: 'Quota reached', hint: 'pushes are refused' },
]

export const eventWord = (kind: EventKind): string => (kind === 'ping' ? 'Test' : (EVENTS.find((e) => e.kind === kind)?.label ?? kind))

export const DELIVERY: Record<views.OutgoingDeliveryView['state'], { tone: Tone; word: string }> = {
  pending: { tone: 'busy', word: 'Waiting' },
  delivered: { tone: 'live', word: 'Delivered' },
  failed: { tone: 'fail', word: 'Failed' },
}

/** The state of a webhook in one word. */
export function healthOf(webhook: views.OutgoingView): { tone: Tone; word: string } {
  if (!webhook.enabled) return webhook.disabledReason ? { tone: 'fail', word: 'Turned off' } : { tone: 'idle', word: 'Off' }
  if (webhook.failingSince) return { tone: 'fail', word: 'Failing' }
  return webhook.last ? { tone: 'live', word: 'Works' } : { tone: 'idle', word: 'Not called yet' }
}
