export type ReplicationStateView = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled'

/** A rule that copies images to or from another registry; its password is in no view. */
export interface ReplicationRuleView {
  id: string
  name: string
  direction: 'push' | 'pull'
  /** `https://registry.example` */
  remote: string
  username: string
  /** Whether a password is kept. */
  credentials: boolean
  repositories: string[]
  /** Empty: all. */
  tags: string[]
  target: string
  onPush: boolean
  everyMinutes: number | null
  enabled: boolean
  inside: boolean
  nextRunAt: Date | null
  createdAt: Date
  last: ReplicationRunView | null
}

export interface ReplicationListView {
  rules: ReplicationRuleView[]
  /** Whether the reader may allow addresses inside the network. */
  mayReachInside: boolean
}

export interface ReplicationRunView {
  id: string
  ruleId: string
  trigger: 'manual' | 'push' | 'schedule'
  by: string
  /** What one push brought: that repository and these tags only. */
  repository: string | null
  tags: string[]
  state: ReplicationStateView
  /** It was begun anew so many times after the other side failed; the next time is `notBefore`. */
  attempt: number
  notBefore: Date | null
  canceling: boolean
  error: string | null
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  /** Tags, by what became of them; all 0 until it is known what is to be copied. */
  items: Record<ReplicationStateView, number>
  /** Of the manifests read so far. */
  bytes: number
  movedBlobs: number
  movedBytes: number
  skippedBlobs: number
  skippedBytes: number
}

export interface ReplicationItemView {
  position: number
  source: string
  target: string
  tag: string
  digest: string | null
  state: ReplicationStateView
  blobs: number
  bytes: number
  movedBlobs: number
  movedBytes: number
  skippedBlobs: number
  skippedBytes: number
  error: string | null
  updatedAt: Date
}

export interface ReplicationTestView {
  /** Null: it answers, and takes the credentials if there are any. */
  problem: string | null
  milliseconds: number
}
