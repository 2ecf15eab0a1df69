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
  // A signature or an SBOM came to an image that was there: replication alone hears of it.
  'attach',
  // Of a webhook's own "send a test".
  'ping',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]
