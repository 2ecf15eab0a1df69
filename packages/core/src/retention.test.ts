import { expect, it } from 'vitest'
import { planRetention, type RetentionInput, type RetentionManifest, type RetentionRules, type RetentionTag } from './retention'

const NOW = Date.parse('2026-11-29T12:00:00Z')
const ago = (days: number) => NOW - days * 86_400_000
const none: RetentionRules = { keepLast: null, keepUsedDays: null, keepTags: [], untaggedDays: null }
const manifest = (digest: string, more: Partial<RetentionManifest> = {}): RetentionManifest => ({
  digest,
  children: [],
  subject: null,
  attachedTo: [],
  cache: false,
  createdAt: ago(100),
  ...more,
})
const tag = (name: string, digest: string, days: number, pulled?: number): RetentionTag => ({
  name,
  digest,
  pushedAt: ago(days),
  lastPulledAt: pulled === undefined ? null : ago(pulled),
})
const plan = (rules: Partial<RetentionRules>, input: Partial<RetentionInput>) => {
  const full = { tags: [], manifests: [], used: new Set<string>(), followed: new Set<string>(), held: () => false, now: NOW, ...input }
  const { tags, goes, stays } = planRetention({ ...none, ...rules }, full)
  // Each is in one of the two.
  expect([...goes, ...stays].map((m) => m.digest).sort()).toEqual(full.manifests.map((m) => m.digest).sort())
  return { kept: Object.fromEntries(tags.map((t) => [t.name, t.kept])), manifests: goes.map((m) => m.digest) }
}

it('tells of each tag why it stays, and takes with the others what only they had', () => {
  const names = ['new', 'second', 'old', 'pulled', 'v1', 'runs', 'held', 'followed', 'gone', 'cache']
  const tags = names.map((name, i) => tag(name, name, i + 1 + (i > 1 ? 40 : 0), name === 'pulled' ? 3 : undefined))
  const manifests = names.map((name) => manifest(name, { cache: name === 'cache' }))
  const { kept, manifests: go } = plan(
    { keepLast: 2, keepUsedDays: 30, keepTags: ['v*'] },
    { tags, manifests, used: new Set(['runs']), followed: new Set(['followed']), held: (name) => name === 'held' },
  )
  expect(kept).toEqual({
    new: 'last',
    second: 'last',
    old: null,
    pulled: 'recent',
    v1: 'pattern',
    runs: 'deployed',
    held: 'rule',
    followed: 'followed',
    gone: null,
    cache: 'cache',
  })
  expect(go).toEqual(['old', 'gone'])
})

it('keeps tags where no rule is for them, and what has none as long as the rules say', () => {
  const manifests = [manifest('a'), manifest('loose'), manifest('young', { createdAt: ago(2) })]
  expect(plan({}, { tags: [tag('x', 'a', 90)], manifests })).toEqual({ kept: { x: 'no-rule' }, manifests: [] })
  expect(plan({ untaggedDays: 7 }, { tags: [tag('x', 'a', 90)], manifests }).manifests).toEqual(['loose'])
})

it('leaves an index its parts and its parts their attestations, and takes those of what goes', () => {
  const manifests = [
    manifest('index', { children: ['amd64', 'arm64'] }),
    manifest('amd64'),
    manifest('arm64'),
    manifest('sbom', { subject: 'amd64' }),
    manifest('about-sbom', { subject: 'sbom' }),
    manifest('old', { children: ['arm64', 'only-old'] }),
    manifest('only-old'),
    manifest('sig', { subject: 'only-old' }),
    manifest('pinned-sig', { subject: 'pinned' }),
    manifest('pinned'),
  ]
  const tags = [tag('main', 'index', 1), tag('old', 'old', 50), tag('keep-sig', 'pinned-sig', 60)]
  const { manifests: go } = plan({ keepLast: 1, keepTags: ['keep-*'], untaggedDays: 1 }, { tags, manifests })
  expect(go.sort()).toEqual(['old', 'only-old', 'sig'])
})

it('never takes what a tag that stays, or something that runs, needs (at random)', () => {
  let seed = 20261129
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % n
  }
  for (let round = 0; round < 400; round++) {
    const manifests: RetentionManifest[] = []
    for (let i = 0; i < 3 + random(25); i++) {
      const earlier = () => manifests[random(manifests.length)]?.digest ?? ''
      const children = i > 2 && random(3) === 0 ? [...new Set([earlier(), earlier()])] : []
      manifests.push(
        manifest(`m${i}`, {
          children,
          subject: i > 0 && random(4) === 0 ? earlier() : null,
          createdAt: ago(random(60)),
          cache: random(15) === 0,
        }),
      )
    }
    const any = () => manifests[random(manifests.length)]?.digest ?? ''
    const tags = Array.from({ length: random(12) }, (_, i) =>
      tag(`${random(3) === 0 ? 'v' : 't'}${i}`, any(), random(90), random(2) ? random(90) : undefined),
    )
    const used = new Set(Array.from({ length: random(4) }, any))
    const rules = {
      keepLast: random(3) ? random(4) : null,
      keepUsedDays: random(3) ? random(40) : null,
      keepTags: random(2) ? ['v*'] : [],
      untaggedDays: random(2) ? random(40) : null,
    }
    const result = planRetention(rules, { tags, manifests, used, followed: new Set(), held: (name) => name === 't3', now: NOW })
    const gone = new Set(result.goes.map((m) => m.digest))
    const needs = (digest: string): string[] => {
      const found = manifests.find((m) => m.digest === digest)
      return found ? [digest, ...found.children.flatMap(needs), ...(found.subject ? needs(found.subject) : [])] : []
    }
    const kept = result.tags.filter((t) => t.kept !== null)
    for (const digest of [...kept.map((t) => t.digest), ...used].flatMap(needs))
      expect([round, digest, gone.has(digest)]).toEqual([round, digest, false])
    // No part of an index that stays goes, and nothing stays attached to what went.
    for (const m of manifests.filter((x) => !gone.has(x.digest))) {
      expect(m.children.filter((child) => gone.has(child))).toEqual([])
      expect(m.subject !== null && gone.has(m.subject)).toBe(false)
    }
    expect(kept.some((t) => t.name === 't3') || !result.tags.some((t) => t.name === 't3')).toBe(true)
  }
})

it('leaves what two images have attached by tags to the one that stays, and takes it with the last', () => {
  const manifests = [
    manifest('old'),
    manifest('new'),
    manifest('sbom', { attachedTo: ['new', 'old'] }),
    manifest('signature', { attachedTo: ['old'] }),
  ]
  const tags = [tag('v1', 'old', 90), tag('v2', 'new', 1)]
  expect(plan({ keepLast: 1 }, { tags, manifests })).toEqual({ kept: { v2: 'last', v1: null }, manifests: ['old', 'signature'] })
  for (const attachedTo of [
    ['new', 'old'],
    ['old', 'new'],
  ])
    expect(
      plan({ keepLast: 1 }, { tags, manifests: [manifest('old'), manifest('new'), manifest('sbom', { attachedTo })] }).manifests,
    ).toEqual(['old'])
  expect(plan({ keepUsedDays: 0 }, { tags, manifests }).manifests).toEqual(['old', 'new', 'sbom', 'signature'])
})
