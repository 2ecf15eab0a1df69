/** What an installation tells outside: kinds of rows in the outbox, and of what outgoing webhooks hear. */
export const EVENT_KINDS = [
  'push',
  'delete',
  'scan',
  'quota.warning',
  'quota.exceeded',
  'deployment.live',
  'deployment.failed',
  'build.failed',
  // Of a webhook's own "send a test".
  'ping',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]
