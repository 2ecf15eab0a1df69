import path from 'node:path'
import { newId } from '@slipway/core'
import { type Db, setRepositoryName } from '@slipway/db'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { client, type Installation, startInstallation, writeImage } from './installation'

let i: Installation
let db: Db
const images: Record<string, string> = {}
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
beforeAll(async () => {
  i = await startInstallation()
  db = i.database.db
  for (const name of ['one', 'two']) images[name] = await writeImage(path.join(i.folder, name), 'v1', `hello from ${name}`)
})
afterAll(() => i.close())

const creds = () => `anything:${i.people.dan.apiKey}`
const push = (source: string, name: string) =>
  skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds(), `oci:${path.join(i.folder, source)}:v1`, `docker://${i.host}/${name}`)
const digestOf = async (name: string) =>
  JSON.parse(await skopeo('inspect', '--tls-verify=false', '--creds', creds(), `docker://${i.host}/${name}`)).Digest

it('shows the sentence of a rule and of a limit to the person at skopeo', async () => {
  const { id: organizationId } = await db.organization.findUniqueOrThrow({ where: { slug: 'acme' } })
  await db.tagRule.create({ data: { id: newId('tagRule'), organizationId, kind: 'immutable', tags: 'v*' } })
  await push('one', 'acme/rules:v1')
  await push('one', 'acme/rules:v1')
  await expect(push('two', 'acme/rules:v1')).rejects.toThrow(/The tag v1 is immutable by the rule .*Push under another tag/s)
  expect(await digestOf('acme/rules:v1')).toBe(images.one)
  const { bytes } = await db.organizationUsage.findUniqueOrThrow({ where: { organizationId } })
  await db.organizationUsage.update({ where: { organizationId }, data: { maxBytes: bytes } })
  await new Promise((resolve) => setTimeout(resolve, 550))
  await writeImage(path.join(i.folder, 'three'), 'v1', 'hello from three')
  await expect(push('three', 'acme/rules:main')).rejects.toThrow(/acme uses .* in this registry/s)
  await db.organizationUsage.update({ where: { organizationId }, data: { maxBytes: null } })
  await new Promise((resolve) => setTimeout(resolve, 550))
})

it('pulls and pushes by the name that a repository had', async () => {
  await push('one', 'acme/old:a')
  const repository = await db.repository.findFirstOrThrow({ where: { name: 'old' } })
  await db.$transaction((tx) => setRepositoryName(tx, repository, 'renamed'))
  expect(await digestOf('acme/old:a')).toBe(images.one)
  await push('two', 'acme/old:b')
  expect(await digestOf('acme/renamed:b')).toBe(images.two)
})
