import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Identity, Scope } from '../scope'
import { createHarness, type Harness, TEST_PASSWORD } from '../testing/harness'

let h: Harness
let ada: Identity
let owner: Scope
beforeEach(async () => {
  h = await createHarness()
  ada = await h.user('Ada', 'acme')
  owner = await h.scope(ada, 'acme')
})
afterEach(() => h.close())

const memberId = async (name: string) => (await h.services.organizations.members(owner)).find((m) => m.name === name)?.id ?? ''
const joined = async (name: string, role: 'owner' | 'admin' | 'developer' | 'guest') => {
  const identity = await h.user(name)
  await h.join(identity.userId, 'acme', role)
  return h.scope(identity, 'acme')
}
const actor = ({ userId, name }: Identity) => ({ userId, label: name, ip: null })
const tokenOf = (url: string) => url.split('/').at(-1) ?? ''

it('keeps an owner, whoever goes and whoever is faster', async () => {
  const { members } = h.services
  await expect(members.leave(owner)).rejects.toMatchObject({ code: 'LAST_OWNER' })
  await expect(members.setRole(owner, { id: await memberId('Ada'), role: 'admin' })).rejects.toMatchObject({ code: 'LAST_OWNER' })
  const bob = await joined('Bob', 'owner')
  const both = await Promise.allSettled([members.leave(owner), members.leave(bob)])
  expect(both.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  expect(await h.db.member.count({ where: { organizationId: owner.organizationId, role: 'owner' } })).toBe(1)
})

it('lets admins manage everybody but owners', async () => {
  const { members } = h.services
  const admin = await joined('Bob', 'admin')
  await joined('Dan', 'guest')
  expect(await members.setRole(admin, { id: await memberId('Dan'), role: 'developer' })).toMatchObject({ role: 'developer' })
  await expect(members.setRole(admin, { id: await memberId('Dan'), role: 'owner' })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  await expect(members.setRole(admin, { id: await memberId('Ada'), role: 'guest' })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  await expect(members.remove(admin, { id: await memberId('Ada') })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  expect(await members.remove(admin, { id: await memberId('Dan') })).toMatchObject({ name: 'Dan' })
  const deeds = await h.db.auditEvent.findMany({
    where: { targetType: 'member' },
    orderBy: { id: 'asc' },
    select: { action: true, data: true },
  })
  expect(deeds).toEqual([
    { action: 'member.setRole', data: { before: 'guest', role: 'developer' } },
    { action: 'member.remove', data: { role: 'developer' } },
  ])
})

it('makes a member of one who opens the link, once, and keeps only the hash of its token', async () => {
  const { invitations, teams, organizations } = h.services
  await teams.create(owner, { name: 'Core' })
  const made = await invitations.create(owner, { role: 'developer', email: 'Eve@example.com', team: 'core' })
  const token = tokenOf(made.url)
  expect(made.url).toBe(`http://localhost:3000/-/invite/${token}`)
  expect(JSON.stringify(await h.db.invitation.findMany())).not.toContain(token)
  expect(await invitations.look({ token })).toMatchObject({
    organization: { slug: 'acme' },
    role: 'developer',
    team: 'Core',
    createdBy: 'Ada',
  })

  const eve = { token, name: 'Eve', email: 'Eve@example.com', password: TEST_PASSWORD }
  const both = await Promise.allSettled([invitations.join(eve, null), invitations.join({ ...eve, email: 'mal@example.com' }, null)])
  expect(both.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  expect(await organizations.members(owner)).toHaveLength(2)
  // The one who was too late has no account either.
  expect(await h.db.user.count()).toBe(2)
  expect((await teams.list(owner))[0]?.members).toMatchObject([{ role: 'developer' }])
  await expect(invitations.look({ token })).rejects.toMatchObject({ code: 'INVITATION_NOT_FOUND' })
  const email = (await organizations.members(owner))[1]?.email ?? ''
  expect((await h.services.auth.signIn(email, TEST_PASSWORD, new Headers())).length).toBeGreaterThan(0)
})

it('takes somebody who has an account, and nobody twice', async () => {
  const { invitations } = h.services
  const token = tokenOf((await invitations.create(owner, { role: 'guest' })).url)
  await expect(invitations.accept(actor(ada), { token })).rejects.toMatchObject({ code: 'MEMBER_EXISTS' })
  const eve = await h.user('Eve')
  const account = { token, name: 'Eve', email: eve.email, password: TEST_PASSWORD }
  await expect(invitations.join(account, null)).rejects.toMatchObject({ code: 'ACCOUNT_EXISTS' })
  expect(await invitations.accept(actor(eve), { token })).toEqual({ organization: 'acme' })
  expect(await h.scope(eve, 'acme')).toMatchObject({ role: 'guest' })
})

it('says one thing of unknown, withdrawn and old links', async () => {
  const { invitations } = h.services
  const admin = await joined('Bob', 'admin')
  await expect(invitations.create(admin, { role: 'owner' })).rejects.toMatchObject({ code: 'ROLE_TOO_LOW' })
  const [withdrawn, old] = [await invitations.create(admin, { role: 'guest' }), await invitations.create(admin, { role: 'guest' })]
  await invitations.revoke(admin, { id: withdrawn.view.id })
  await h.db.invitation.update({ where: { id: old.view.id }, data: { expiresAt: new Date(Date.now() - 1000) } })
  expect(await invitations.list(admin)).toEqual([])
  const answers = await Promise.all(
    [tokenOf(withdrawn.url), tokenOf(old.url), 'x'].map((token) => invitations.look({ token }).catch((error: Error) => error.message)),
  )
  expect(new Set(answers).size).toBe(1)
  const eve = await h.user('Eve')
  await expect(invitations.accept(actor(eve), { token: tokenOf(old.url) })).rejects.toMatchObject({ code: 'INVITATION_NOT_FOUND' })
})

it('takes only members into teams', async () => {
  const { teams } = h.services
  await teams.create(owner, { name: 'Core' })
  await expect(teams.create(owner, { name: 'core' })).rejects.toMatchObject({ code: 'TEAM_NAME_TAKEN' })
  await h.organization('Eve', 'rival')
  const stranger = await h.db.member.findFirstOrThrow({ where: { organization: { slug: 'rival' } } })
  await expect(teams.addMember(owner, { team: 'core', member: stranger.id })).rejects.toMatchObject({ code: 'MEMBER_NOT_FOUND' })
  const team = await h.db.team.findFirstOrThrow()
  // Not even past the use case.
  await expect(
    h.db.teamMember.create({ data: { teamId: team.id, organizationId: owner.organizationId, userId: stranger.userId } }),
  ).rejects.toThrow()
})
