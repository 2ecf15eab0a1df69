// The parts of Slipway itself: registry, agent, worker, web.
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { AGENT_BINARY, serviceEntry, WEB_SERVER } from '../builds.mjs'
import { StartError } from '../errors.mjs'
import { call } from '../http.mjs'
import { bucketCredentials, inherited } from '../settings.mjs'

/** Node keeps much more heap than these need unless it is told; the machine belongs to the applications. */
const node = (/** @type {string} */ entry, /** @type {number} */ heapMb, /** @type {string[]} */ ...flags) => [
  process.execPath,
  `--max-old-space-size=${heapMb}`,
  ...flags,
  '--enable-source-maps',
  entry,
]

/** @typedef {import('../settings.mjs').Settings} Settings @typedef {import('../supervisor.mjs').Part} Part @typedef {Record<string, string>} Environment */

/** @param {Settings} settings @param {Environment} env @returns {Part} */
export const registry = ({ ports }, env) => ({
  name: 'registry',
  title: 'Registry',
  // Room for what is new: with Node's own 16 MB it held 30 MB more at rest, and took no less processor.
  argv: () => node(serviceEntry('registry'), 256, '--max-semi-space-size=2'),
  // Each push waits for the disk in a thread; with Node's own four, a few pushes would stop every pull.
  env: { ...env, ...bucketCredentials(process.env), UV_THREADPOOL_SIZE: '16' },
  // 401 is the healthy answer: it asks for a token.
  ready: async () => [200, 401].includes((await call({ port: ports.registry, path: '/v2/' })).status),
})

/** @param {Settings} settings @returns {Part} */
export const agent = ({ paths, ports, downloadInside }) => ({
  name: 'agent',
  title: 'Agent',
  argv: () => [
    AGENT_BINARY,
    'daemon',
    ...['--data-root', paths.agent, '--socket', paths.agentSocket],
    ...['--registry', `slipway.local=http://127.0.0.1:${ports.registry}`],
    ...downloadInside.flatMap((place) => ['--download-inside', place]),
  ],
  env: inherited(process.env),
  cwd: '/',
  readyDeadlineMs: 60_000,
  ready: async () => (await call({ socketPath: paths.agentSocket, path: '/_ping', headers: { host: 'localhost' } })).status === 200,
  // Stops the containers and takes the network down. SIGTERM alone would leave them running.
  beforeStop: () =>
    call({
      socketPath: paths.agentSocket,
      method: 'POST',
      path: '/slipway/v1/shutdown',
      headers: { host: 'localhost' },
      deadlineMs: 90_000,
    }),
  stopDeadlineMs: 90_000,
})

/** @param {Settings} settings @param {Environment} env @returns {Part} */
export const worker = ({ ports }, env) => ({
  name: 'worker',
  title: 'Worker',
  argv: () => node(serviceEntry('worker'), 384),
  env,
  stopDeadlineMs: 30_000,
  // It has no port to ask: the web app tells, from the worker's own heartbeat.
  readyDeadlineMs: 90_000,
  ready: async () => (await health(ports.web))?.parts?.some((part) => part.name === 'worker' && part.state === 'ok'),
})

/** @param {Settings} settings @param {Environment} env @returns {Part} */
export const web = (settings, env) => ({
  name: 'web',
  title: 'Web app',
  argv: () => node(WEB_SERVER, 384),
  env: {
    ...env,
    PORT: String(settings.ports.web),
    HOSTNAME: '0.0.0.0',
    NEXT_TELEMETRY_DISABLED: '1',
    ...(settings.adminEmail && settings.adminPasswordFile
      ? { SLIPWAY_ADMIN_EMAIL: settings.adminEmail, SLIPWAY_ADMIN_PASSWORD_FILE: settings.adminPasswordFile }
      : {}),
  },
  cwd: dirname(WEB_SERVER),
  readyDeadlineMs: 60_000,
  ready: async () => (await health(settings.ports.web)) !== undefined,
})

/** What `GET /api/health` answers, 200 or 503; undefined when it is no JSON. @param {number} port */
export async function health(port) {
  const answer = await call({ port, path: '/api/health', deadlineMs: 10_000 })
  if (answer.status !== 200 && answer.status !== 503) return undefined
  return JSON.parse(answer.body)
}

/** A socket file left by a killed process would make the next one's bind fail. @param {string[]} files */
export function removeStaleSockets(files) {
  for (const file of files) rmSync(file, { force: true })
}

export function checkBuilt() {
  for (const file of [AGENT_BINARY, WEB_SERVER, serviceEntry('registry'), serviceEntry('worker')]) {
    if (!existsSync(file)) throw new StartError(`The build left no ${file}.`, { hint: 'Delete that folder and run npm start again.' })
  }
}
