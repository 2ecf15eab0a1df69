import type { views } from '@slipway/contracts'
import type { ReplicationItemRow, ReplicationRuleRow, ReplicationRunRow, ReplicationSums } from '@slipway/db'

export const ruleView = (row: ReplicationRuleRow, last: views.ReplicationRunView | null): views.ReplicationRuleView => ({
  id: row.id,
  name: row.name,
  direction: row.direction,
  remote: row.remote,
  username: row.username ?? '',
  credentials: row.password !== null,
  repositories: row.repositories,
  tags: row.tags,
  target: row.target,
  onPush: row.onPush,
  everyMinutes: row.everyMinutes,
  enabled: row.enabled,
  inside: row.inside,
  nextRunAt: row.enabled ? row.nextRunAt : null,
  createdAt: row.createdAt,
  last,
})

export const runView = (row: ReplicationRunRow, sums: ReplicationSums): views.ReplicationRunView => ({
  id: row.id,
  ruleId: row.ruleId,
  trigger: row.trigger as views.ReplicationRunView['trigger'],
  by: row.actorLabel,
  repository: row.repository,
  tags: row.tags,
  state: row.state,
  attempt: row.attempt,
  notBefore: row.state === 'queued' && row.attempt > 0 ? row.notBefore : null,
  canceling: row.cancelRequestedAt !== null && row.finishedAt === null,
  error: row.error,
  createdAt: row.createdAt,
  startedAt: row.startedAt,
  finishedAt: row.finishedAt,
  ...sums,
})

export const itemView = (row: ReplicationItemRow): views.ReplicationItemView => ({
  position: row.position,
  source: row.source,
  target: row.target,
  tag: row.tag,
  digest: row.digest,
  state: row.state,
  blobs: row.blobs,
  bytes: Number(row.bytes),
  movedBlobs: row.movedBlobs,
  movedBytes: Number(row.movedBytes),
  skippedBlobs: row.skippedBlobs,
  skippedBytes: Number(row.skippedBytes),
  error: row.error,
  updatedAt: row.updatedAt,
})
