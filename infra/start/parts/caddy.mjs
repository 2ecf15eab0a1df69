// Caddy without a site: the worker loads the routes through the admin socket. After a crash Caddy comes back with the last
// routes it had (it saves them), so that applications answer before the worker looks.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { call } from '../http.mjs'
import { inherited } from '../settings.mjs'

/**
 * @param {import('../settings.mjs').Settings} settings
 * @param {{ resume?: boolean }} [options] resume: the containers behind the last routes still run
 * @returns {import('../supervisor.mjs').Part}
 */
export function prepareCaddy({ paths }, { resume = false } = {}) {
  const config = join(paths.caddy, 'start.json')
  writeFileSync(
    config,
    JSON.stringify({
      // On a socket Caddy refuses the Host that HTTP clients send, unless it is named here.
      admin: { listen: `unix/${paths.caddyAdminSocket}`, origins: ['localhost'] },
      storage: { module: 'file_system', root: join(paths.caddy, 'storage') },
      logging: { logs: { default: { level: 'WARN' } } },
    }),
    { mode: 0o600 },
  )
  return {
    name: 'caddy',
    title: 'Caddy',
    argv: (again) => ['caddy', 'run', '--config', config, ...(again || resume ? ['--resume'] : [])],
    env: {
      ...inherited(process.env),
      HOME: paths.caddy,
      XDG_CONFIG_HOME: join(paths.caddy, 'config'),
      XDG_DATA_HOME: join(paths.caddy, 'data'),
    },
    cwd: paths.caddy,
    readyDeadlineMs: 20_000,
    ready: async () => (await call({ socketPath: paths.caddyAdminSocket, path: '/config/' })).status === 200,
  }
}
