import { createHash } from 'node:crypto'
import { type BuildPlan, buildParameters, provenanceStatement } from '@slipway/contracts'
import type { BuildRunRow } from '@slipway/db'
import { expect, it } from 'vitest'
import { type BuiltFrom, provenance } from './provenance'

const secret = 'hunter2-and-more'
const build = {
  number: 7,
  trigger: 'push',
  noCache: false,
  app: {
    slug: 'shop',
    dockerfilePath: 'deploy/Dockerfile',
    contextPath: '.',
    target: null,
    organization: { slug: 'acme' },
    variables: [
      { scope: 'build', key: 'NPM_TOKEN', secret: true },
      { scope: 'build', key: 'COLOR', secret: false },
      { scope: 'runtime', key: 'DATABASE_URL', secret: true },
    ],
  },
} as unknown as BuildRunRow
const base = { type: 'image', reference: 'slipway.local/slipway/debian:13', digest: `sha256:${'b'.repeat(64)}` }
const fetched = { type: 'http', url: 'https://get.example.com/tool.tgz', checksum: `sha256:${'d'.repeat(64)}`, filename: 'tool.tgz' }
const signed = {
  type: 'http',
  url: `https://ada:${secret}@get.example.com/data.bin?X-Signature=${secret}`,
  checksum: null,
  filename: 'data.bin',
}
const plan = {
  platform: { os: 'linux', architecture: 'amd64' },
  target: 'v3',
  vertices: [
    { id: 'v0', op: base },
    { id: 'v5', op: { type: 'context', name: 'git' } },
    { id: 'v6', op: { ...base, reference: 'tools', digest: `sha256:${'9'.repeat(64)}` } },
    { id: 'v7', op: { type: 'context', name: 'git-2' } },
    { id: 'v1', op: fetched },
    { id: 'v8', op: signed },
    { id: 'v9', op: { ...signed, url: 'https://get.example.com/unknown' } },
    { id: 'v10', op: { type: 'context', name: 'context-1' } },
    { id: 'v11', op: { type: 'context', name: 'context-2' } },
    { id: 'v12', op: { ...fetched, filename: 'again.tgz' } },
    {
      id: 'v2',
      op: {
        type: 'exec',
        input: 'v0',
        mounts: [
          { type: 'bind', from: 'v1' },
          { type: 'bind', from: 'v6' },
          { type: 'bind', from: 'v5' },
          ...['v8', 'v9', 'v10', 'v11', 'v12'].map((from) => ({ type: 'bind', from })),
        ],
      },
    },
    { id: 'v3', op: { type: 'copy', input: 'v2', from: null } },
    { id: 'v4', op: { ...base, reference: 'arm', digest: `sha256:${'e'.repeat(64)}` } },
  ],
  more: [{ platform: { os: 'linux', architecture: 'arm64' }, target: 'v4' }],
} as unknown as BuildPlan
const from: BuiltFrom = {
  repository: 'slipway.local/acme/shop',
  digest: `sha256:${'a'.repeat(64)}`,
  platform: 'linux/amd64',
  source: {
    kind: 'git',
    url: `https://ada:${secret}@git.example.com/acme/shop.git`,
    branch: 'main',
    commit: { sha: 'c'.repeat(40), message: 'Make it blue', author: 'Ada', at: new Date(0) },
  },
  dockerfile: { text: 'FROM debian:13\n', origin: 'repository' },
  plan,
  gitContexts: [
    { name: 'git', url: 'git@git.example:acme/lib.git', ref: 'v1', sha: '1'.repeat(40) },
    { name: 'git-2', url: 'https://git.example/unused.git', ref: '', sha: '2'.repeat(40) },
  ],
  uploadedContexts: [
    { context: 'context-1', name: 'assets', tree: `sha256:${'7'.repeat(64)}` },
    { context: 'context-2', name: 'same-assets', tree: `sha256:${'7'.repeat(64)}` },
    { context: 'context-3', name: 'unused', tree: `sha256:${'8'.repeat(64)}` },
  ],
  fetched: new Map([['v8', `sha256:${'6'.repeat(64)}`]]),
  buildArgs: { NPM_TOKEN: secret, COLOR: 'blue' },
  secrets: ['NPM_TOKEN'],
  startedAt: new Date('2026-11-28T10:00:00Z'),
  finishedAt: new Date('2026-11-28T10:00:09Z'),
}
const installation = { webUrl: 'https://slipway.example.com', version: '1.2.3' }
const made = provenance(build, from, installation)

it('says what the build was made from, by digest', () => {
  const { predicate, subject } = provenanceStatement.parse(JSON.parse(JSON.stringify(made)))
  expect(subject).toEqual([{ name: 'slipway.local/acme/shop', digest: { sha256: 'a'.repeat(64) } }])
  expect(buildParameters.parse(predicate.buildDefinition.externalParameters)).toEqual({
    repository: 'https://git.example.com/acme/shop.git',
    ref: 'refs/heads/main',
    commit: 'c'.repeat(40),
    dockerfile: 'deploy/Dockerfile',
    context: '.',
    buildArgs: { COLOR: 'blue' },
    secrets: ['NPM_TOKEN'],
  })
  expect(predicate.buildDefinition.internalParameters).toMatchObject({
    dockerfileOrigin: 'repository',
    dockerfileDigest: { sha256: createHash('sha256').update('FROM debian:13\n').digest('hex') },
  })
  expect(predicate.buildDefinition.resolvedDependencies).toEqual([
    { uri: 'git+https://git.example.com/acme/shop.git@refs/heads/main', digest: { gitCommit: 'c'.repeat(40) } },
    { uri: 'oci://slipway.local/slipway/debian:13', digest: { sha256: 'b'.repeat(64) } },
    { uri: 'git+git@git.example:acme/lib.git@v1', digest: { gitCommit: '1'.repeat(40) } },
    { uri: 'oci://tools', digest: { sha256: '9'.repeat(64) } },
    { uri: 'https://get.example.com/tool.tgz', digest: { sha256: 'd'.repeat(64) } },
    { uri: 'https://get.example.com/data.bin', digest: { sha256: '6'.repeat(64) } },
    { uri: 'slipway:context', name: 'assets', digest: { sha256: '7'.repeat(64) } },
  ])
  expect(predicate.runDetails).toMatchObject({
    builder: { id: 'https://slipway.example.com/builder', version: { slipway: '1.2.3' } },
    metadata: {
      invocationId: 'https://slipway.example.com/acme/apps/shop/builds/7',
      startedOn: '2026-11-28T10:00:00.000Z',
      finishedOn: '2026-11-28T10:00:09.000Z',
    },
  })
})

it('gives no secret away', () => expect(JSON.stringify(made)).not.toContain(secret))

it('names the files of a client by their digest, and the materials of one platform only', () => {
  const tree = `sha256:${'f'.repeat(64)}`
  const source = { kind: 'upload' as const, tree, dockerfilePath: 'Dockerfile', target: 'web' }
  const { predicate } = provenance(build, { ...from, source, secrets: ['npmrc'], platform: 'linux/arm64' }, installation)
  expect(buildParameters.parse(predicate.buildDefinition.externalParameters)).toEqual({
    tree,
    dockerfile: 'Dockerfile',
    context: '.',
    target: 'web',
    buildArgs: { COLOR: 'blue' },
    secrets: ['NPM_TOKEN', 'npmrc'],
  })
  expect(predicate.buildDefinition.internalParameters).toMatchObject({ platform: 'linux/arm64' })
  expect(predicate.buildDefinition.resolvedDependencies).toEqual([
    { uri: 'slipway:context', digest: { sha256: 'f'.repeat(64) } },
    { uri: 'oci://arm', digest: { sha256: 'e'.repeat(64) } },
  ])
})
