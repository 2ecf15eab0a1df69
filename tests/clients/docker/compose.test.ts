/** Debian's docker-compose: an application of several services, up, watched, scaled and down again. */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Engine, type Result, startEngine } from './engine'

const FILE = `
version: '2.4'
services:
  db:
    image: busybox
    command: sh -c 'sleep 1; echo kept >> /data/rows; touch /tmp/ready; echo db is ready; httpd -f -p 80 -h /data'
    volumes: [data:/data]
    networks: [back]
    healthcheck: { test: test -e /tmp/ready, interval: 200ms, retries: 100 }
  web:
    image: busybox
    command: sh -c 'wget -q -O - http://database/rows; echo web is ready; exec sleep 1000'
    environment: { COLOUR: blue }
    depends_on: { db: { condition: service_healthy } }
    networks: [front, back]
    ports: ['80']
  lonely:
    image: busybox
    command: sleep 1000
    networks: [front]
    tmpfs: [/scratch]
    volumes: [memory:/memory]
    restart: unless-stopped
    init: true
volumes:
  data: { labels: { kept: 'yes' } }
  memory: { driver_opts: { type: tmpfs, device: tmpfs, o: 'size=1m,mode=700' } }
networks:
  front: {}
  back: { internal: true }
`.replace('networks: [back]', 'networks: { back: { aliases: [database] } }')

let engine: Engine
let folder: string
beforeAll(async () => {
  engine = await startEngine()
  folder = join(engine.folder, 'shop')
  mkdirSync(folder)
  writeFileSync(join(folder, 'docker-compose.yml'), FILE)
})
afterAll(async () => {
  await engine?.stop()
})

const run = (args: string[]) =>
  new Promise<Result>((done) => {
    const options = { cwd: folder, env: { ...engine.env, COMPOSE_HTTP_TIMEOUT: '120' }, timeout: 150_000, maxBuffer: 16 << 20 }
    execFile('docker-compose', ['--ansi', 'never', ...args], options, (error, out, err) => {
      done({ code: error ? (typeof error.code === 'number' ? error.code : 124) : 0, out, err })
    })
  })
const compose = async (...args: string[]) => {
  const { code, out, err } = await run(args)
  expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' })
  return out
}
const names = async () => (await engine.ok(['ps', '--format', '{{.Names}}'])).split('\n').sort()

describe('docker-compose', () => {
  it('brings up what depends on each other in order, healthy first', async () => {
    await compose('up', '-d')
    expect(await names()).toEqual(['shop_db_1', 'shop_lonely_1', 'shop_web_1'])
    expect(await engine.ok(['inspect', '--format', '{{.State.Health.Status}}', 'shop_db_1'])).toBe('healthy')
    await expect.poll(() => compose('logs', '--no-color', 'web'), { timeout: 30_000 }).toMatch(/web_1 .*\| kept\nweb_1 .*\| web is ready/)
    expect(await compose('exec', '-T', 'web', 'sh', '-c', 'echo $COLOUR')).toBe('blue\n')
    expect((await run(['exec', '-T', 'web', 'sh', '-c', 'exit 7'])).code).toBe(7)
    expect(await compose('exec', '-T', 'lonely', 'grep', ' /memory ', '/proc/mounts')).toMatch(/^tmpfs .*size=1024k,mode=700/)
    expect(await compose('port', 'web', '80')).toMatch(/^0\.0\.0\.0:\d+\n$/)
  })

  it('keeps services of different networks apart', async () => {
    const reach = (from: string) => run(['exec', '-T', from, 'timeout', '5', 'wget', '-q', '-O', '-', 'http://database/rows'])
    expect((await reach('web')).out).toBe('kept\n')
    expect((await reach('lonely')).code).not.toBe(0)
  })

  it('leaves alone what did not change, and makes anew what did, with its volume', async () => {
    const ids = async () => (await compose('ps', '-q')).split('\n').filter(Boolean).sort()
    const before = await ids()
    await compose('up', '-d')
    expect(await ids()).toEqual(before)
    writeFileSync(join(folder, 'docker-compose.yml'), FILE.replace('test -e /tmp/ready', 'test -f /tmp/ready'))
    await compose('up', '-d', 'db')
    const after = await ids()
    expect(after.filter((id) => !before.includes(id))).toHaveLength(1)
    await expect.poll(() => compose('exec', '-T', 'db', 'cat', '/data/rows'), { timeout: 30_000 }).toBe('kept\nkept\n')
  })

  it('scales up and down, and finds every copy under one name', async () => {
    await compose('up', '-d', '--scale', 'web=3')
    expect((await names()).filter((name) => name.startsWith('shop_web'))).toEqual(['shop_web_1', 'shop_web_2', 'shop_web_3'])
    const found = await compose('exec', '-T', 'lonely', 'nslookup', 'web')
    expect(new Set(found.match(/^Address: (?!127\.).*$/gm)).size).toBe(3)
    await compose('up', '-d', '--scale', 'web=1')
    expect((await names()).filter((name) => name.startsWith('shop_web'))).toHaveLength(1)
  })

  it('stops, starts and takes down all of it', async () => {
    await compose('stop', '-t', '0')
    expect(await names()).toEqual([''])
    await compose('start')
    expect(await names()).toHaveLength(3)
    await compose('down', '-t', '0', '--volumes')
    expect(await engine.ok(['ps', '-aq'])).toBe('')
    expect(await engine.ok(['volume', 'ls', '-q'])).toBe('')
    expect(await engine.ok(['network', 'ls', '--filter', 'type=custom', '-q'])).toBe('')
  })
})
