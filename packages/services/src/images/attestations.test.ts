import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { BUILD_TYPE, IN_TOTO_TYPE, PREDICATE_TYPE, SLSA_PROVENANCE, SPDX_TYPE } from '@slipway/contracts'
import { OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let acme: Scope
let evil: Scope
/** What the registry would give, by digest. */
const blobs = new Map<string, string>()
const asked: string[] = []
const registry = createServer((request, response) => {
  asked.push(`${request.url}`)
  const blob = blobs.get(request.url?.split('/').at(-1) ?? '')
  response.writeHead(blob === undefined ? 404 : 200).end(blob)
})

beforeAll(async () => {
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  h = await createHarness({ registryUrl: `http://127.0.0.1:${(registry.address() as AddressInfo).port}` })
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await writeFile(join(h.secretsDir, 'registry-token.pem'), key)
  acme = await h.organization('Ada', 'acme')
  evil = await h.organization('Eve', 'evil')
})
afterAll(async () => {
  await h.close()
  registry.close()
})

const digestOf = (text: string) => digestBytes(text)
async function image(name: string) {
  const { organizationId } = acme
  const repository = await h.db.repository.create({ data: { id: `rep_${randomUUID()}`, organizationId, name } })
  const put = async (more: { subjectDigest?: string; artifactType?: string; annotations?: object }, layers: object[]) => {
    const digest = digestOf(randomUUID())
    const rest = { mediaType: OCI_MANIFEST, content: new Uint8Array(1), size: 1, totalSize: 1n, pushedBy: 'system:worker' }
    const data = { id: `man_${randomUUID()}`, repositoryId: repository.id, organizationId, digest, ...rest, ...more }
    await h.db.manifest.create({ data: { ...data, layers: { create: layers as never[] } } })
    return digest
  }
  const layer = (position: number) => ({
    position,
    digest: digestOf(`layer ${position}`),
    diffId: digestOf(`diff ${position}`),
    mediaType: 'x',
    size: 1n,
  })
  const subjectDigest = await put({}, [layer(0), layer(1)])
  const input = { repository: name, reference: subjectDigest }
  return {
    input,
    /** As cosign does: the tag names what it is attached to, the manifest does not. */
    async attachByTag(suffix: string) {
      const digest = await put({}, [])
      const { id } = await h.db.manifest.findFirstOrThrow({ where: { repositoryId: repository.id, digest } })
      const name = `${subjectDigest.replace(':', '-')}${suffix}`
      await h.db.tag.create({ data: { repositoryId: repository.id, name, manifestId: id, pushedBy: 'system:worker' } })
      return digest
    },
    attach(artifactType: string, document: unknown, annotations = {}) {
      const text = typeof document === 'string' ? document : JSON.stringify(document)
      blobs.set(digestOf(text), text)
      const blob = { position: 0, digest: digestOf(text), mediaType: artifactType, size: BigInt(text.length) }
      return put({ subjectDigest, artifactType, annotations }, [blob])
    },
  }
}

const spdx = {
  spdxVersion: 'SPDX-2.3',
  creationInfo: { created: '2026-11-28T10:00:00Z', creators: ['Tool: syft-1.0', 'Organization: Anchore'] },
  packages: [
    { SPDXID: 'SPDXRef-Image', name: 'shop', primaryPackagePurpose: 'CONTAINER' },
    {
      SPDXID: 'SPDXRef-1',
      name: 'bash',
      versionInfo: '5.2',
      licenseDeclared: 'GPL-3.0-or-later AND LicenseRef-1',
      externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: 'pkg:deb/debian/bash@5.2' }],
    },
    { SPDXID: 'SPDXRef-2', name: 'mystery', licenseDeclared: 'NOASSERTION', externalRefs: 'nonsense' },
  ],
  files: [{ SPDXID: 'SPDXRef-File', fileName: '/var/lib/dpkg/status', comment: `layerID: ${digestOf('diff 1')}` }],
  relationships: [{ spdxElementId: 'SPDXRef-1', relationshipType: 'OTHER', relatedSpdxElement: 'SPDXRef-File' }],
  hasExtractedLicensingInfos: [{ licenseId: 'LicenseRef-1', name: 'Odd one' }],
}

it('shows the packages with licence, file and layer, whoever listed them', async () => {
  const { input, attach } = await image('shop')
  expect(await h.services.images.sbom(acme, input)).toBeNull()
  await attach(SPDX_TYPE, { ...spdx, packages: [] })
  const digest = await attach(SPDX_TYPE, spdx)
  const view = await h.services.images.sbom(acme, input)
  expect(view).toMatchObject({ digest, tools: ['syft-1.0'], total: 2, pushedBy: 'system:worker' })
  expect(view?.types).toEqual([
    { type: 'deb', count: 1 },
    { type: 'other', count: 1 },
  ])
  expect(view?.packages).toEqual([
    {
      type: 'deb',
      name: 'bash',
      version: '5.2',
      license: 'GPL-3.0-or-later AND Odd one',
      purl: 'pkg:deb/debian/bash@5.2',
      path: '/var/lib/dpkg/status',
      layer: 1,
    },
    { type: null, name: 'mystery', version: null, license: null, purl: null, path: null, layer: null },
  ])
  const document = await h.services.images.attestation(acme, { ...input, kind: 'sbom' })
  expect([document?.name, JSON.parse(document?.text ?? '')]).toEqual([`shop-${input.reference.slice(7, 19)}.spdx.json`, spdx])
})

it('shows the provenance of our builds and of others', async () => {
  const { input, attach } = await image('origin')
  const git = { repository: 'https://git.example.com/a.git', ref: 'refs/heads/main', commit: 'c'.repeat(40) }
  const tree = `sha256:${'f'.repeat(64)}`
  const rest = { dockerfile: 'Dockerfile', context: '.' }
  const statement = (buildType: string, source: object = git) => ({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: 'a' } }],
    predicateType: SLSA_PROVENANCE,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: { ...source, ...rest, buildArgs: { COLOR: 'blue' }, secrets: ['TOKEN'] },
        resolvedDependencies: [
          { uri: 'oci://debian:13', digest: { sha256: 'b' } },
          { uri: 'slipway:context', name: 'assets', digest: { sha256: 'c' } },
        ],
      },
      runDetails: { builder: { id: 'https://x/builder', version: { slipway: '1' } }, metadata: { startedOn: 'not a date' } },
    },
  })
  await attach(IN_TOTO_TYPE, statement('https://mobyproject.org/buildkit@v1'), { [PREDICATE_TYPE]: SLSA_PROVENANCE })
  expect(await h.services.images.provenance(acme, input)).toMatchObject({ source: null, buildArgs: [], startedAt: null })
  await attach(IN_TOTO_TYPE, statement(BUILD_TYPE), { [PREDICATE_TYPE]: SLSA_PROVENANCE })
  // A statement of another kind is no provenance.
  await attach(IN_TOTO_TYPE, {}, { [PREDICATE_TYPE]: 'https://example.com/review' })
  expect(await h.services.images.provenance(acme, input)).toMatchObject({
    source: { git, tree: null, ...rest },
    buildArgs: [{ key: 'COLOR', value: 'blue' }],
    secrets: ['TOKEN'],
    materials: [
      { uri: 'oci://debian:13', name: null, digest: 'sha256:b' },
      { uri: 'slipway:context', name: 'assets', digest: 'sha256:c' },
    ],
  })
  await attach(IN_TOTO_TYPE, statement(BUILD_TYPE, { tree }), { [PREDICATE_TYPE]: SLSA_PROVENANCE })
  expect(await h.services.images.provenance(acme, input)).toMatchObject({ source: { git: null, tree, ...rest } })
})

it('refuses what is no such document, and lets it be downloaded', async () => {
  const { input, attach } = await image('broken')
  for (const document of ['not json', '[]', { spdxVersion: 'SPDX-3.0' }, { ...spdx, packages: 'many' }]) {
    await attach(SPDX_TYPE, document)
    await expect(h.services.images.sbom(acme, input)).rejects.toMatchObject({ code: 'ATTESTATION_INVALID' })
  }
  expect((await h.services.images.attestation(acme, { ...input, kind: 'sbom' }))?.text).toContain('many')
  expect(await h.services.images.attestation(acme, { ...input, kind: 'provenance' })).toBeNull()
})

it('gives another organization nothing, and asks the registry for nothing', async () => {
  const { input, attach } = await image('private')
  await attach(SPDX_TYPE, spdx)
  asked.length = 0
  await expect(h.services.images.sbom(evil, input)).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
  await expect(h.services.images.attestation(evil, { ...input, kind: 'sbom' })).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
  expect(asked).toEqual([])
})

it('tells of all that is attached what it is, and takes it away with the image', async () => {
  const { input, attach, attachByTag } = await image('signed')
  expect(await h.services.images.attached(acme, input)).toEqual([])
  const bundle = 'application/vnd.dev.sigstore.bundle.v0.3+json'
  const about = (predicateType: string) => ({
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': predicateType,
  })
  const wanted = [
    [await attach(SPDX_TYPE, spdx), 'sbom', SPDX_TYPE, null],
    [await attach('application/vnd.cncf.notary.signature', '{}'), 'signature', 'application/vnd.cncf.notary.signature', null],
    [await attach(bundle, '{}', { 'dev.sigstore.bundle.content': 'dsse-envelope' }), 'attestation', bundle, null],
    // As cosign 3 signs and attests: all in envelopes.
    [await attach(bundle, '{1}', about('https://sigstore.dev/cosign/sign/v1')), 'signature', bundle, null],
    [await attach(bundle, '{2}', about('https://slsa.dev/provenance/v1')), 'attestation', bundle, null],
    [await attach(bundle, '{3}', about('https://spdx.dev/Document')), 'sbom', bundle, null],
    [await attach(bundle, '{4}', about('https://cyclonedx.org/bom')), 'sbom', bundle, null],
    [await attach(bundle, '{5}', { 'dev.sigstore.bundle.content': 'message-signature' }), 'signature', bundle, null],
    [await attach('text/x-notes', 'hello'), 'other', 'text/x-notes', null],
    [await attachByTag('.sig'), 'signature', OCI_MANIFEST, `${input.reference.replace(':', '-')}.sig`],
  ]
  // The list of those that name the image in their manifest, for registries that make none: no attachment itself.
  await attachByTag('')
  await attachByTag('.sigs')
  const found = await h.services.images.attached(acme, input)
  expect(found.map(({ digest, kind, type, tag }) => [digest, kind, type, tag])).toEqual(wanted.reverse())
  await expect(h.services.images.attached(evil, input)).rejects.toMatchObject({ code: 'REPOSITORY_NOT_FOUND' })
  await h.services.images.delete(acme, input)
  // What has a tag of its own, as `….sigs` is one, is somebody's.
  expect(await h.db.tag.findMany({ where: { repository: { name: 'signed' } } })).toHaveLength(1)
  expect(await h.db.manifest.count({ where: { repository: { name: 'signed' } } })).toBe(1)
})
