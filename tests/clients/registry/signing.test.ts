/**
 * Signatures as cosign keeps them: an artifact beside the image, under a tag of the image's digest. Debian's skopeo and podman are built
 * without Sigstore and cosign is in no Debian, so the artifact is made here, and skopeo moves it.
 */
import { createSign, createVerify, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { createTagRule, listAttached, listTags } from '@slipway/db'
import { OCI_CONFIG, OCI_MANIFEST } from '@slipway/oci'
import { digestBytes } from '@slipway/oci/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { client, type Installation, startInstallation, writeImage, writeLayout } from './installation'

const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json'
const SIGNATURE = 'dev.cosignproject.cosign/signature'
let i: Installation
let source: string
let digest: string
let tag: string
beforeAll(async () => {
  i = await startInstallation()
  source = path.join(i.folder, 'image')
  digest = await writeImage(source, 'v1', 'hello, signed')
  tag = `${digest.replace(':', '-')}.sig`
})
afterAll(() => i.close())

const creds = () => `anything:${i.people.dan.apiKey}`
const at = (name: string) => `docker://${i.host}/${name}`
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const push = (from: string, name: string) => skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${from}`, at(name))
const tagsOf = async (name: string): Promise<string[]> =>
  JSON.parse(await skopeo('list-tags', '--tls-verify=false', '--creds', creds(), at(name))).Tags

/** The layout of one artifact with a layer for each key's signature over what cosign signs: the image's digest. */
async function sign(folder: string, keys: KeyObject[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  const payload = JSON.stringify({
    critical: { identity: {}, image: { 'docker-manifest-digest': digest }, type: 'cosign container image signature' },
    optional: null,
  })
  await writeLayout(folder, 'sig', async (blob) => {
    const layer = { mediaType: SIMPLE_SIGNING, ...(await blob(payload)) }
    const config = JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: keys.map(() => layer.digest) },
    })
    const layers = keys.map((key) => ({ ...layer, annotations: { [SIGNATURE]: createSign('sha256').update(payload).sign(key, 'base64') } }))
    return { schemaVersion: 2, mediaType: OCI_MANIFEST, config: { mediaType: OCI_CONFIG, ...(await blob(config)) }, layers }
  })
  return `${folder}:sig`
}

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

it('keeps a signature, and gives it as it was made', async () => {
  const key = newKey()
  await push(`${source}:v1`, 'acme/signed:v1')
  await push(await sign(path.join(i.folder, 'one'), [key.privateKey]), `acme/signed:${tag}`)
  const target = path.join(i.folder, 'pulled')
  await skopeo('copy', '--src-tls-verify=false', '--src-creds', creds(), at(`acme/signed:${tag}`), `dir:${target}`)
  const manifest = JSON.parse(await readFile(path.join(target, 'manifest.json'), 'utf8'))
  const [layer] = manifest.layers
  const payload = await readFile(path.join(target, layer.digest.replace('sha256:', '')))
  expect(digestBytes(payload)).toBe(layer.digest)
  expect(createVerify('sha256').update(payload).verify(key.publicKey, layer.annotations[SIGNATURE], 'base64')).toBe(true)
})

it('takes a second signature where tags are immutable, lists neither as a version, and deletes them with the image', async () => {
  const [first, second] = [newKey().privateKey, newKey().privateKey]
  await push(`${source}:v1`, 'acme/twice:v1')
  const { db } = i.database
  const { id, organizationId } = await db.repository.findFirstOrThrow({ where: { name: 'twice' } })
  await createTagRule(db, { organizationId, repositoryId: id, kind: 'immutable', repositories: '*', tags: '*', builds: false })
  await push(await sign(path.join(i.folder, 'first'), [first]), `acme/twice:${tag}`)
  await push(await sign(path.join(i.folder, 'both'), [first, second]), `acme/twice:${tag}`)

  expect(await tagsOf('acme/twice')).toEqual([tag, 'v1'])
  const listed = await listTags(db, organizationId, id, { limit: 10 })
  expect([listed.rows.map(({ name }) => name), listed.total]).toEqual([['v1'], 1])
  expect(await listAttached(db, organizationId, id, digest, 10)).toEqual([expect.objectContaining({ tag })])

  await db.tagRule.deleteMany({ where: { repositoryId: id } })
  await skopeo('delete', '--tls-verify=false', '--creds', creds(), at('acme/twice:v1'))
  expect(await tagsOf('acme/twice')).toEqual([])
})
