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

/** Times are milliseconds: ten thousand dates take as long to make as the plan. */
export interface RetentionTag {
  name: string
  digest: string
  pushedAt: number
  lastPulledAt: number | null
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
  createdAt: number
}

export interface RetentionInput<M extends RetentionManifest = RetentionManifest> {
  tags: readonly RetentionTag[]
  manifests: readonly M[]
  /** Digests that run, or that a rollback may take. */
  used: ReadonlySet<string>
  /** Tags that apps are deployed from. */
  followed: ReadonlySet<string>
  /** Whether a rule holds the tag. */
  held: (tag: string) => boolean
  now: number
}

export type KeptBecause = 'no-rule' | 'rule' | 'deployed' | 'followed' | 'cache' | 'pattern' | 'last' | 'recent'

export interface RetentionPlan<M extends RetentionManifest = RetentionManifest> {
  tags: { name: string; digest: string; kept: KeptBecause | null }[]
  /** Manifests that go, … */
  goes: M[]
  /** … and those that stay. */
  stays: M[]
}

const DAY_MS = 86_400_000

/** Of ten thousand tags in a few milliseconds: nothing is made anew for each of them. */
export function planRetention<M extends RetentionManifest>(rules: RetentionRules, input: RetentionInput<M>): RetentionPlan<M> {
  const byDigest = new Map(input.manifests.map((manifest) => [manifest.digest, manifest]))
  const tags = [...input.tags].sort((a, b) => b.pushedAt - a.pushedAt || (a.name < b.name ? -1 : 1))
  const decided = decideTags(rules, input, tags, byDigest)

  const tagged = new Set(input.tags.map((tag) => tag.digest))
  const before = rules.untaggedDays === null ? null : input.now - rules.untaggedDays * DAY_MS
  const parts = new Set<string>()
  const hangers = new Map<string, M[]>()
  for (const manifest of input.manifests) {
    for (const child of manifest.children) parts.add(child)
    if (!tagged.has(manifest.digest)) for (const subject of subjectsOf(manifest)) push(hangers, subject, manifest)
  }
  // What stays by itself: what runs, and what has no tag but is no part of something that has gone its own way.
  const alone = (manifest: M) =>
    input.used.has(manifest.digest) ||
    (!tagged.has(manifest.digest) &&
      !parts.has(manifest.digest) &&
      !subjectsOf(manifest).some((subject) => byDigest.has(subject)) &&
      (before === null || manifest.createdAt >= before))
  const kept = new Set<string>()
  for (const tag of decided) if (tag.kept !== null) kept.add(tag.digest)
  for (const manifest of input.manifests) if (alone(manifest)) kept.add(manifest.digest)
  // Whatever stays keeps its parts, what is attached to it, and what it says that it is attached to.
  reach(kept, (digest, add) => {
    const manifest = byDigest.get(digest)
    manifest?.children.forEach(add)
    if (manifest?.subject) add(manifest.subject)
    for (const hanger of hangers.get(digest) ?? []) add(hanger.digest)
  })
  const goes: M[] = []
  const stays: M[] = []
  for (const manifest of input.manifests) (kept.has(manifest.digest) ? stays : goes).push(manifest)
  return { tags: decided, goes, stays }
}

function decideTags(
  rules: RetentionRules,
  { used, followed, held, now }: RetentionInput,
  newestFirst: readonly RetentionTag[],
  byDigest: ReadonlyMap<string, RetentionManifest>,
): RetentionPlan['tags'] {
  const since = rules.keepUsedDays === null ? null : now - rules.keepUsedDays * DAY_MS
  let counted = 0
  const uses = (digest: string): boolean => {
    const children = byDigest.get(digest)?.children ?? []
    if (used.has(digest) || children.length === 0) return used.has(digest)
    const all = reach(new Set(children), (d, add) => byDigest.get(d)?.children.forEach(add))
    return [...all].some((d) => used.has(d))
  }
  const because = ({ name, digest, pushedAt, lastPulledAt }: RetentionTag): KeptBecause | null => {
    if (byDigest.get(digest)?.cache) return 'cache'
    const place = counted++
    if (rules.keepLast === null && since === null) return 'no-rule'
    if (held(name)) return 'rule'
    if (uses(digest)) return 'deployed'
    if (followed.has(name)) return 'followed'
    if (rules.keepTags.some((pattern) => globMatches(pattern, name))) return 'pattern'
    if (rules.keepLast !== null && place < rules.keepLast) return 'last'
    if (since !== null && Math.max(pushedAt, lastPulledAt ?? 0) >= since) return 'recent'
    return null
  }
  return newestFirst.map((tag) => ({ name: tag.name, digest: tag.digest, kept: because(tag) }))
}

const subjectsOf = ({ subject, attachedTo }: RetentionManifest) => (subject === null ? attachedTo : [subject, ...attachedTo])

/** Puts into `seen` all that can be come to from what is in it, and gives it back. */
function reach(seen: Set<string>, next: (digest: string, add: (more: string) => void) => void): Set<string> {
  const add = (more: string) => void seen.add(more)
  // A set that grows while it is walked is walked to its new end.
  for (const digest of seen) next(digest, add)
  return seen
}

function push<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const group = groups.get(key)
  if (group) group.push(item)
  else groups.set(key, [item])
}
