/** Rules and limits of the registry. */
import type { KeptBecause } from '@slipway/core'

export interface QuotaView {
  bytes: number
  repositories: number
  /** Null: no limit. */
  maxBytes: number | null
  maxRepositories: number | null
}
export interface OwnQuotaView extends QuotaView {
  /** Whether the caller runs the installation, and sets the limits. */
  maySet: boolean
}
export interface OrganizationQuotaView extends QuotaView {
  slug: string
  name: string
}

export interface TagRuleView {
  id: string
  kind: 'immutable' | 'protected'
  /** Glob of the repositories; `*` in a repository's own rule. */
  repositories: string
  tags: string
  builds: boolean
  /** Tags that it holds now. */
  matches: number
}

export interface RetentionRulesView {
  repositories: string
  keepLast: number | null
  keepUsedDays: number | null
  keepTags: string[]
  keepDeployments: number
  untaggedDays: number | null
}

export interface RetentionRunView {
  id: string
  /** Null: the schedule. */
  by: string | null
  startedAt: Date
  /** Null: it runs, or waits for the worker. */
  finishedAt: Date | null
  repositories: number
  tags: number
  manifests: number
  bytes: number
  removed: { repository: string; tags: string[]; manifests: number; bytes: number }[]
  error: string | null
}

export interface RetentionView {
  rules: RetentionRulesView | null
  /** Minute of the day, UTC. */
  minute: number
  nextAt: Date | null
  runs: RetentionRunView[]
}

export interface RetentionPreviewView {
  /** Repositories that have such rules. */
  repositories: number
  /** Of these, where something goes. */
  changed: number
  tags: number
  manifests: number
  /** What the collector may take afterwards. */
  bytes: number
  kept: { because: KeptBecause; tags: number }[]
  rows: {
    repository: string
    bytes: number
    manifests: number
    /** Tags, those that go first; at most 200 of each repository. */
    tags: { name: string; digest: string; kept: KeptBecause | null }[]
    /** All tags that go, … */
    goes: number
    /** … of so many. */
    total: number
  }[]
}

/** A part of the dry run: the numbers of all its pages are summed, and the rows of one repository. */
export interface RetentionPreviewPage extends RetentionPreviewView {
  /** So many repositories were looked at here to their end, whatever rules they have, … */
  looked: number
  /** … of so many that are. */
  of: number
  /** What comes free of a large repository is counted over several pages: of which the next one goes on, and how much is counted, 0 to 1. */
  within: { repository: string; part: number } | null
  /** `cursor` of the next; null: these were the last. */
  next: string | null
}

export interface RepositoryPoliciesView {
  rules: TagRuleView[]
  /** Those of the organization that hold here, too. */
  inherited: TagRuleView[]
  retention: RetentionRulesView | 'keep' | null
  /** The organization's, where it is for this repository. */
  inheritedRetention: RetentionRulesView | null
  /** The organization's last run that has ended; null: there was none. */
  lastRun: { at: Date; error: string | null } | null
  /** What a run last removed here; of the tags at most 50. */
  lastCleaned: { at: Date; by: string; tags: string[]; tagCount: number; manifests: number; bytes: number } | null
  /** When the next run is; null: none is planned. */
  nextRunAt: Date | null
  /** `acme/old` */
  oldNames: { name: string; since: Date }[]
  /** Why it can have no other name: an app builds into it. */
  builtBy: string | null
  mayManage: boolean
}

export interface RepositoryAboutView {
  description: string
  readme: string
  labels: Record<string, string>
  updatedAt: Date | null
  updatedBy: string | null
  mayChange: boolean
}
