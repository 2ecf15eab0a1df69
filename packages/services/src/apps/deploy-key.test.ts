import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inputs } from '@slipway/contracts'
import { learnHosts } from '@slipway/db'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBuildSecrets } from '../builds/secrets'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'

let h: Harness
let scope: Scope
let scratch: string
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-deploy-key-'))
  h = await createHarness()
  scope = await h.scope(await h.user('Ada', 'acme'), 'acme')
  await h.services.projects.create(scope, { name: 'Shop' })
})
afterAll(async () => {
  await h.close()
  rmSync(scratch, { recursive: true })
})

const create = (name: string, gitUrl: string) =>
  h.services.apps.create(scope, inputs.createApp.parse({ org: 'acme', project: 'shop', source: 'git', name, gitUrl }))
const openKey = async (app: string) => {
  const { id } = await h.db.build.findFirstOrThrow({ where: { app: { slug: app } } })
  const row = await h.db.build.findUniqueOrThrow({
    where: { id },
    include: { app: { include: { organization: { select: { slug: true } }, project: { select: { slug: true } }, variables: true } } },
  })
  return openBuildSecrets(h.deps, row).deployKey
}
let made = 0
function keygen(type: string, passphrase = '', bits?: string): { private: string; public: string } {
  const file = join(scratch, String(made++))
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-f', file, ...(bits ? ['-b', bits] : [])])
  return { private: readFileSync(file, 'utf8'), public: readFileSync(`${file}.pub`, 'utf8') }
}
const half = (key: string) => key.split(' ')[1]

describe('a deploy key', () => {
  it('comes with an app whose repository is reached over SSH; its private half is sealed and told to builds only', async () => {
    const { app } = await create('over-ssh', 'git@git.example:acme/web.git')
    const { settings } = await h.services.apps.get(scope, { app })
    expect(settings.deployKey).toMatch(/^ssh-ed25519 AAAA\S+ slipway-acme-over-ssh$/)
    const key = await openKey(app)
    expect(key).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/)
    const row = await h.db.app.findFirstOrThrow({ where: { slug: app } })
    expect(Buffer.from(row.deployKey ?? []).toString('latin1')).not.toContain('OPENSSH')
    // The halves belong together, to OpenSSH's own eyes.
    const file = join(scratch, 'private')
    writeFileSync(file, key ?? '', { mode: 0o600 })
    expect(half(execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }))).toBe(half(settings.deployKey ?? ''))
    expect((await create('over-https', 'https://git.example/web.git')).app).toBe('over-https')
    expect((await h.services.apps.get(scope, { app: 'over-https' })).settings.deployKey).toBeNull()
    expect(await openKey('over-https')).toBeNull()
  })

  it('is made, given, and taken away; nothing tells the private half', async () => {
    const { app } = await create('keys', 'https://git.example/keys.git')
    const made = await h.services.apps.setDeployKey(scope, { app })
    const again = await h.services.apps.setDeployKey(scope, { app })
    expect(again.settings.deployKey).not.toBe(made.settings.deployKey)
    const own = keygen('ed25519')
    const given = await h.services.apps.setDeployKey(scope, { app, key: `\r\n${own.private.replaceAll('\n', '\r\n')}` })
    expect(half(given.settings.deployKey ?? '')).toBe(half(own.public))
    expect(await openKey(app)).toBe(own.private)
    const told = JSON.stringify([given, await h.services.activity.list(scope, { limit: 20 })])
    for (const line of own.private.split('\n').filter((text) => text.length > 20)) expect(told).not.toContain(line)
    expect((await h.services.apps.setDeployKey(scope, { app, key: null })).settings.deployKey).toBeNull()
    expect(await openKey(app)).toBeNull()
    const audited = (await h.services.activity.list(scope, { limit: 4 })).items.map(({ action }) => action)
    expect(audited).toEqual(['app.removeDeployKey', 'app.setDeployKey', 'app.setDeployKey', 'app.setDeployKey'])
  })

  it('may be RSA or ECDSA', async () => {
    const { app } = await create('kinds', 'https://git.example/kinds.git')
    for (const own of [keygen('rsa'), keygen('ecdsa', '', '384')]) {
      const given = await h.services.apps.setDeployKey(scope, { app, key: own.private })
      const halves = (key: string | null) => key?.split(' ').slice(0, 2)
      expect(halves(given.settings.deployKey)).toEqual(halves(own.public))
      expect(await openKey(app)).toBe(own.private)
    }
  })

  it('is refused in words when builds cannot use it', async () => {
    const { app } = await create('refused', 'https://git.example/refused.git')
    const refusal = (key: string) => h.services.apps.setDeployKey(scope, { app, key }).catch((error) => `${error.code}: ${error.message}`)
    expect(await refusal(keygen('ed25519', 'open sesame').private)).toMatch(/^DEPLOY_KEY_INVALID: .*passphrase/)
    expect(await refusal(keygen('rsa', '', '1024').private)).toMatch(/^DEPLOY_KEY_INVALID: .*2048/)
    const own = keygen('ed25519')
    for (const bad of [own.public, own.private.slice(0, 120), '', 'secret words']) {
      expect(await refusal(bad)).toMatch(/^DEPLOY_KEY_INVALID: .*ssh-keygen -t ed25519/)
      if (bad) expect(await refusal(bad)).not.toContain(bad)
    }
    expect((await h.services.apps.get(scope, { app })).settings.deployKey).toBeNull()
  })
})

describe('known hosts', () => {
  it('are the organization’s, keep their first key, and are forgotten by those who manage it', async () => {
    const key = keygen('ed25519').public.split(' ')[1] ?? ''
    const other = keygen('ed25519').public.split(' ')[1] ?? ''
    const { organizationId } = scope
    await learnHosts(h.db, organizationId, [{ host: '[git.example]:2222', keyType: 'ssh-ed25519', key }])
    await learnHosts(h.db, organizationId, [{ host: '[git.example]:2222', keyType: 'ssh-ed25519', key: other }])
    const [host, ...more] = await h.services.organizations.knownHosts(scope)
    expect(more).toEqual([])
    const file = join(scratch, 'known')
    writeFileSync(file, `ssh-ed25519 ${key}\n`)
    expect(execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' })).toContain(` ${host?.fingerprint} `)
    const guest = await h.user('Guest')
    await h.join(guest.userId, 'acme', 'developer')
    const developer = await h.scope(guest, 'acme')
    const id = host?.id ?? ''
    await expect(h.services.organizations.forgetKnownHost(developer, { id })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
    expect(await h.services.organizations.forgetKnownHost(scope, { id })).toEqual([])
    await expect(h.services.organizations.forgetKnownHost(scope, { id })).rejects.toMatchObject({ code: 'KNOWN_HOST_NOT_FOUND' })
  })
})
