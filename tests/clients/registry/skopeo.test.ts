import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PASSWORD } from '../../../apps/registry/src/testing/fixture'
import { client, type Installation, startInstallation, writeImage } from './installation'

let i: Installation
let source: string
let digest: string
const skopeo = (...argv: string[]) => client('skopeo', '--insecure-policy', ...argv)
const image = (name: string) => `docker://${i.host}/${name}`

beforeAll(async () => {
  i = await startInstallation()
  source = path.join(i.folder, 'image')
  digest = await writeImage(source, 'v1', 'hello from skopeo')
})
afterAll(() => i.close())

const password = () => `${i.people.ada.email}:${PASSWORD}`
const apiKey = () => `anything:${i.people.dan.apiKey}`
const push = (name: string, creds: string, ...more: string[]) =>
  skopeo('copy', '--dest-tls-verify=false', '--dest-creds', creds, ...more, `oci:${source}:v1`, image(name))

it('pushes with a password, inspects and pulls with an API key', async () => {
  await push('acme/hello:v1', password())
  const seen = JSON.parse(await skopeo('inspect', '--tls-verify=false', '--creds', apiKey(), image('acme/hello:v1')))
  expect(seen).toMatchObject({ Digest: digest, RepoTags: ['v1'], Os: 'linux', Architecture: 'amd64' })
  const target = path.join(i.folder, 'pulled')
  await skopeo('copy', '--src-tls-verify=false', '--src-creds', apiKey(), image(`acme/hello@${digest}`), `oci:${target}:v1`)
  expect(await client('diff', '-r', path.join(source, 'blobs'), path.join(target, 'blobs'))).toBe('')
})

it('pushes as Docker schema 2', async () => {
  await push('acme/docker:v1', apiKey(), '--format', 'v2s2')
  const raw = JSON.parse(await skopeo('inspect', '--raw', '--tls-verify=false', '--creds', apiKey(), image('acme/docker:v1')))
  expect(raw.mediaType).toBe('application/vnd.docker.distribution.manifest.v2+json')
})

it('copies between repositories, lists and deletes', async () => {
  const both = ['--src-tls-verify=false', '--dest-tls-verify=false', '--src-creds', apiKey(), '--dest-creds', apiKey()]
  await push('acme/from:v1', apiKey())
  await skopeo('copy', ...both, image('acme/from:v1'), image('acme/team/to:a'))
  await skopeo('copy', ...both, image('acme/from:v1'), image('acme/team/to:b'))
  const list = async () => JSON.parse(await skopeo('list-tags', '--tls-verify=false', '--creds', apiKey(), image('acme/team/to'))).Tags
  expect(await list()).toEqual(['a', 'b'])
  await skopeo('delete', '--tls-verify=false', '--creds', apiKey(), image('acme/team/to:a'))
  // skopeo deletes by digest, and both tags were of that image.
  expect(await list()).toEqual([])
})

it('lets nobody in who may not', async () => {
  await push('acme/private:v1', password())
  await expect(push('acme/private:v2', `${i.people.ada.email}:wrong`)).rejects.toThrow(/unauthorized|authentication|Wrong e-mail/i)
  await expect(push('acme/private:v2', `x:${i.people.gus.apiKey}`)).rejects.toThrow(/denied|unauthorized|may not/i)
  const inspect = (creds: string, name = 'acme/private:v1') => skopeo('inspect', '--tls-verify=false', '--creds', creds, image(name))
  await inspect(`x:${i.people.gus.apiKey}`)
  await expect(inspect(`x:${i.people.eve.apiKey}`)).rejects.toThrow(/denied|unauthorized|may not/i)
  await expect(skopeo('inspect', '--tls-verify=false', '--no-creds', image('acme/private:v1'))).rejects.toThrow(
    /denied|unauthorized|Log in/i,
  )
  await i.database.db.repository.updateMany({ where: { name: 'private' }, data: { visibility: 'public' } })
  await skopeo('inspect', '--tls-verify=false', '--no-creds', image('acme/private:v1'))
})
