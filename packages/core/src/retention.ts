/** What retention removes from one repository, and why each tag stays. Pure: a dry run and the run itself are the same call. */
import { globMatches } from './glob'

export interface RetentionRules {
  /** A tag stays when it is among the last so many, by push. */
  keepLast: number | null
  /** … when it was pushed or pulled within so many days. */
  keepUsedDays: number | null
  /** … when one of these globs matches its name. */
  keepTags: readonly string[]
  /** Manifests that never had a tag, or lost it otherwise, go when they are older; null: they stay. */
  untaggedDays: number | null
}

export interface RetentionTag {
  name: string
  digest: string
  pushedAt: Date
  lastPulledAt: Date | null
}

export interface RetentionManifest {
  digest: string
  /** Its parts, of an index. */
  children: readonly string[]
  /** What it says itself that it is attached to. */
  subject: string | null
  /** What tags attach it to; two images may have the same SBOM. */
  attachedTo: readonly string[]
  /** A build cache: kept with its tag. */
  cache: boolean
  createdAt: Date
}

export interface RetentionInput {
  tags: readonly RetentionTag[]
  manifests: readonly RetentionManifest[]
  /** Digests that run, or that a rollback may take. */
  used: ReadonlySet<string>
  /** Tags that apps are deployed from. */
  followed: ReadonlySet<string>
  /** Whether a rule holds the tag. */
  held: (tag: string) => boolean
  now: Date
}

export type KeptBecause = 'no-rule' | 'rule' | 'deployed' | 'followed' | 'cache' | 'pattern' | 'last' | 'recent'

export interface RetentionPlan {
  tags: { name: string; digest: string; kept: KeptBecause | null }[]
  /** Digests of the manifests that go. */
  manifests: string[]
}

const DAY_MS = 86_400_000

export function planRetention(rules: RetentionRules, input: RetentionInput): RetentionPlan {
  const byDigest = new Map(input.manifests.map((manifest) => [manifest.digest, manifest]))
  const subjects = ({ subject, attachedTo }: RetentionManifest) => (subject === null ? attachedTo : [subject, ...attachedTo])
  const attached = groupBy(input.manifests, subjects)
  const tags = [...input.tags].sort((a, b) => b.pushedAt.getTime() - a.pushedAt.getTime() || (a.name < b.name ? -1 : 1))
  const uses = (digest: string) => closure([digest], (d) => byDigest.get(d)?.children ?? []).some((d) => input.used.has(d))
  const decided = decideTags(rules, input, tags, byDigest, uses)

  const kept = decided.filter((tag) => tag.kept !== null).map((tag) => tag.digest)
  const tagged = new Set(input.tags.map((tag) => tag.digest))
  const before = rules.untaggedDays === null ? null : input.now.getTime() - rules.untaggedDays * DAY_MS
  const parts = new Set(input.manifests.flatMap((manifest) => manifest.children))
  // What stays by itself: what runs, and what has no tag but is no part of something that has gone its own way.
  const alone = input.manifests.filter(
    (manifest) =>
      input.used.has(manifest.digest) ||
      (!tagged.has(manifest.digest) &&
        !parts.has(manifest.digest) &&
        !subjects(manifest).some((subject) => byDigest.has(subject)) &&
        (before === null || manifest.createdAt.getTime() >= before)),
  )
  // Whatever stays keeps its parts, what is attached to it, and what it says that it is attached to.
  const stays = new Set(
    closure([...kept, ...alone.map((manifest) => manifest.digest)], (digest) => {
      const manifest = byDigest.get(digest)
      const hangers = (attached.get(digest) ?? []).filter((hanger) => !tagged.has(hanger.digest)).map((hanger) => hanger.digest)
      return [...(manifest?.children ?? []), ...hangers, ...(manifest?.subject ? [manifest.subject] : [])]
    }),
  )
  return { tags: decided, manifests: input.manifests.filter((manifest) => !stays.has(manifest.digest)).map((manifest) => manifest.digest) }
}

function decideTags(
  rules: RetentionRules,
  { followed, held, now }: RetentionInput,
  newestFirst: readonly RetentionTag[],
  byDigest: ReadonlyMap<string, RetentionManifest>,
  uses: (digest: string) => boolean,
): RetentionPlan['tags'] {
  const since = rules.keepUsedDays === null ? null : now.getTime() - rules.keepUsedDays * DAY_MS
  let counted = 0
  return newestFirst.map(({ name, digest, pushedAt, lastPulledAt }) => {
    const because = (): KeptBecause | null => {
      if (byDigest.get(digest)?.cache) return 'cache'
      const place = counted++
      if (rules.keepLast === null && since === null) return 'no-rule'
      if (held(name)) return 'rule'
      if (uses(digest)) return 'deployed'
      if (followed.has(name)) return 'followed'
      if (rules.keepTags.some((pattern) => globMatches(pattern, name))) return 'pattern'
      if (rules.keepLast !== null && place < rules.keepLast) return 'last'
      if (since !== null && Math.max(pushedAt.getTime(), lastPulledAt?.getTime() ?? 0) >= since) return 'recent'
      return null
    }
    return { name, digest, kept: because() }
  })
}

function closure(from: readonly string[], next: (digest: string) => readonly string[]): string[] {
  const seen = new Set(from)
  for (const digest of seen) for (const more of next(digest)) seen.add(more)
  return [...seen]
}

function groupBy<T>(items: readonly T[], keys: (item: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    for (const key of keys(item)) {
      const group = groups.get(key)
      if (group) group.push(item)
      else groups.set(key, [item])
    }
  }
  return groups
}
