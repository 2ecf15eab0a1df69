import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { emitEvent, postponeEvent, takeEvent } from '@slipway/db'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Scope } from '../scope'
import { createHarness, type Harness } from '../testing/harness'
import { createOutgoingWork } from './deliver'
import type { OutgoingWork } from './service'

let h: Harness
let work: OutgoingWork
/** Of the installation's first organization. */
let scope: Scope
let other: Scope
let url: string
let answer: (request: IncomingMessage, response: ServerResponse) => void
const heard: { headers: IncomingMessage['headers']; body: string }[] = []
const server = createServer((request, response) => {
  void text(request).then((body) => {
    heard.push({ headers: request.headers, body })
    answer(request, response)
  })
})

beforeAll(async () => {
  h = await createHarness()
  scope = await h.organization('Ada', 'acme')
  other = await h.organization('Eve', 'evil')
  work = createOutgoingWork(h.deps)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
})
afterAll(async () => {
  work.close()
  server.closeAllConnections()
  server.close()
  await h.close()
})
beforeEach(async () => {
  heard.length = 0
  answer = (_request, response) => response.end('thanks')
  await h.db.outgoingWebhook.deleteMany()
  await h.db.event.deleteMany()
})

const fields = { name: 'ci', events: ['push' as const, 'delete' as const], repositories: [] as string[], inside: true }
const create = (more: Partial<Parameters<Harness['services']['outgoing']['create']>[1]> = {}) =>
  h.services.outgoing.create(scope, { ...fields, url, ...more })
const push = (repository = 'team/api', kind: 'push' | 'build.failed' = 'push') =>
  h.db.$transaction((tx) => emitEvent(tx, scope.organizationId, { kind, repository, actor: 'ada', data: { tags: ['main'] } }))
/** As the worker does: ids of the deliveries that were made. */
async function dispatch(): Promise<string[]> {
  const ids: string[] = []
  while (await takeEvent(h.db, async (tx, event) => void ids.push(...(await work.handOn(tx, event)))));
  return ids
}
const deliveries = async (id: string) => (await h.services.outgoing.deliveries(scope, { id, limit: 25 })).items
const later = (ms: number) => new Date(Date.now() + ms)
const DAY = 86_400_000

it('sends what happened, signed as Standard Webhooks say, to those who want to hear of it', async () => {
  const { id, secret } = await create({ repositories: ['team/*'] })
  await create({ name: 'deaf', events: ['delete'] })
  await push('team/api')
  await push('web')
  await push('team/api', 'build.failed')
  const made = await dispatch()
  expect(made).toHaveLength(1)
  expect(await work.deliver(made[0] ?? '')).toBe('delivered')
  expect(await work.deliver(made[0] ?? '')).toBe('nothing')
  expect(heard).toHaveLength(1)
  const { headers, body } = heard[0] ?? { headers: {}, body: '' }
  expect(JSON.parse(body)).toMatchObject({
    type: 'push',
    organization: 'acme',
    actor: 'ada',
    data: { repository: 'team/api', name: 'slipway.local/acme/team/api', tags: ['main'] },
  })
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
  const [told] = await deliveries(id)
  expect(told).toMatchObject({ id: headers['webhook-id'], kind: 'push', state: 'delivered', attempt: 1, status: 200 })
  const detail = await h.services.outgoing.delivery(scope, { id: told?.id ?? '' })
  expect(detail).toMatchObject({ request: { body }, response: { body: 'thanks' } })
})

it('hands an event on once, even when the worker dies before it is out of the box', async () => {
  await create()
  await push()
  await expect(
    takeEvent(h.db, async (tx, event) => {
      await work.handOn(tx, event)
      throw new Error('killed')
    }),
  ).rejects.toMatchObject({ event: { kind: 'push' } })
  expect(await h.db.outgoingDelivery.count()).toBe(0)
  const event = await h.db.event.findFirstOrThrow()
  expect(await postponeEvent(h.db, event)).toBe(false)
  expect(await dispatch()).toEqual([])
  await h.db.event.update({ where: { id: event.id }, data: { notBefore: new Date(0) } })
  expect(await dispatch()).toHaveLength(1)
  expect(await postponeEvent(h.db, { ...event, attempts: 13 })).toBe(true)
})

it('tries eight times over hours, then gives up; a redelivery is a new one', async () => {
  answer = (_request, response) => response.writeHead(500).end('x'.repeat(200_000))
  const { id } = await create()
  await push()
  const [delivery = ''] = await dispatch()
  let now = new Date()
  const outcomes: string[] = []
  for (let attempt = 1; attempt <= 8; attempt++) {
    outcomes.push(await work.deliver(delivery, now))
    expect(await work.deliver(delivery, now)).toBe('nothing')
    now = (await h.db.outgoingDelivery.findUniqueOrThrow({ where: { id: delivery } })).nextAttemptAt ?? now
  }
  expect(outcomes).toEqual([...Array(7).fill('again'), 'failed'])
  const hours = (now.getTime() - Date.now()) / 3_600_000
  expect(hours).toBeGreaterThan(3)
  expect((await h.services.outgoing.delivery(scope, { id: delivery })).response?.body).toHaveLength(64 * 1024)
  answer = (_request, response) => response.end()
  const again = await h.services.outgoing.redeliver(scope, { id: delivery })
  expect(await work.deliver(again.id)).toBe('delivered')
  expect((await deliveries(id)).map(({ state }) => state)).toEqual(['delivered', 'failed'])
})

it('follows no redirect, waits for nobody, and reaches nothing inside unless it may', async () => {
  const { id } = await create()
  answer = (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
  await work.deliver((await h.services.outgoing.test(scope, { id })).id)
  expect(await deliveries(id)).toMatchObject([{ kind: 'ping', state: 'pending', status: 302, error: expect.stringContaining('redirect') }])

  await h.services.outgoing.update(scope, { id, inside: false })
  await work.deliver((await h.services.outgoing.test(scope, { id })).id)
  expect((await deliveries(id))[0]).toMatchObject({ status: null, error: expect.stringContaining('inside this network') })
  expect(heard).toHaveLength(1)

  const foreign = { ...fields, url, inside: true }
  await expect(h.services.outgoing.create(other, foreign)).rejects.toMatchObject({ code: 'HOSTS_OF_OTHERS' })
  expect((await h.services.outgoing.list(other)).mayReachInside).toBe(false)
  await expect(h.services.outgoing.deliveries(other, { id, limit: 5 })).rejects.toMatchObject({ code: 'WEBHOOK_NOT_FOUND' })
})

it('is turned off by itself after three days of failure or by a 410, says so, and is turned on again', async () => {
  const { id } = await create()
  const send = async (now: Date) => {
    await push()
    const [delivery = ''] = await dispatch()
    await h.db.outgoingDelivery.update({ where: { id: delivery }, data: { nextAttemptAt: now } })
    await work.deliver(delivery, now)
  }
  answer = (_request, response) => response.writeHead(503).end()
  await send(new Date())
  await send(later(2 * DAY))
  expect((await h.services.outgoing.list(scope)).webhooks[0]).toMatchObject({ enabled: true, failingSince: expect.any(Date) })
  await send(later(3.1 * DAY))
  expect((await h.services.outgoing.list(scope)).webhooks[0]).toMatchObject({
    enabled: false,
    disabledReason: expect.stringContaining('503'),
  })
  const [told] = (await h.services.activity.list(scope, { limit: 1, action: 'outgoing.disable' })).items
  expect(told).toMatchObject({ actor: 'Slipway', targetLabel: 'ci' })
  await push()
  expect(await dispatch()).toEqual([])
  await expect(h.services.outgoing.test(scope, { id })).rejects.toMatchObject({ code: 'WEBHOOK_OFF' })

  await h.services.outgoing.update(scope, { id, enabled: true })
  answer = (_request, response) => response.writeHead(410).end()
  await send(later(60_000))
  expect((await h.services.outgoing.list(scope)).webhooks[0]).toMatchObject({
    enabled: false,
    disabledReason: expect.stringContaining('410'),
  })
})

it('keeps its secret sealed and signs with the new one after a rotation', async () => {
  const { id, secret } = await create()
  expect(JSON.stringify(await h.db.outgoingWebhook.findUniqueOrThrow({ where: { id } }))).not.toContain(secret)
  expect(JSON.stringify([await h.services.outgoing.list(scope), await h.services.activity.list(scope, { limit: 20 })])).not.toContain(
    secret,
  )
  const rotated = await h.services.outgoing.rotateSecret(scope, { id })
  expect(rotated.secret).not.toBe(secret)
  await work.deliver((await h.services.outgoing.test(scope, { id })).id)
  const { headers, body } = heard[0] ?? { headers: {}, body: '' }
  const key = Buffer.from(rotated.secret.replace('whsec_', ''), 'base64')
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
})
