/** Repositories without a Dockerfile: one is made from their manifests, shown, built and answers at the app's address. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startGitServer, type TestGitServer } from '@slipway/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ready, readyInstallation } from './support/account'
import { fetchApp } from './support/api'
import { buildOver, createGitApp, serving, textApp } from './support/apps'
import { APT_AND_NPM_BUILD_MS, baseImages } from './support/base-images'

let ready: Ready
let git: TestGitServer
beforeAll(async () => {
  git = await startGitServer()
  ready = await readyInstallation()
  await baseImages(ready.installation)
})
afterAll(async () => {
  await ready?.installation.remove()
  await git?.stop()
})

const GUESTBOOK = resolve(import.meta.dirname, '../../examples/guestbook')
const example = (path: string) => readFileSync(join(GUESTBOOK, path), 'utf8')
const SERVER = `import { createServer } from 'node:http'\ncreateServer((_, answer) => answer.end('from node\\n')).listen(process.env.PORT)\n`
const FLASK = `from flask import Flask\napp = Flask(__name__)\n\n@app.get('/')\ndef root():\n    return 'from flask\\n'\n`

it.each([
  ['static', { 'index.html': 'from a file\n' }, 'from a file\n'],
  [
    'node',
    {
      'package.json': example('package.json'),
      'package-lock.json': example('package-lock.json'),
      'server.js': SERVER,
      'src/server.js': SERVER,
    },
    'from node\n',
  ],
  ['flask', { 'requirements.txt': 'flask==3.0.3\ngunicorn==22.0.0\n', 'app.py': FLASK }, 'from flask\n'],
])('%s is built and served from a Dockerfile that was made for it', { timeout: 2 * APT_AND_NPM_BUILD_MS }, async (name, files, text) => {
  const { api, org } = ready
  git.commit(name, 'First', files as Record<string, string>)
  const app = await createGitApp(api, org, { name, gitUrl: `${git.url}/${name}.git` })
  const build = await buildOver(api, org, app, 1, APT_AND_NPM_BUILD_MS)
  const logs = JSON.stringify(await api.builds.logs.query({ org, app, number: 1 }))
  expect(build.error, logs).toBeNull()
  expect(logs).toContain('no Dockerfile: made one for')
  const { hostname } = await serving(api, org, app)
  expect((await fetchApp(ready.installation.routerPort, hostname)).text).toBe(text)
})

it('the repository’s own Dockerfile wins again when it appears', async () => {
  const { api, org } = ready
  git.commit('static', 'Own file', textApp('own'))
  await api.builds.trigger.mutate({ org, app: 'static' })
  const build = await buildOver(api, org, 'static', 2)
  expect(build.error).toBeNull()
  expect(JSON.stringify(await api.builds.logs.query({ org, app: 'static', number: 2 }))).not.toContain('made one for')
})
