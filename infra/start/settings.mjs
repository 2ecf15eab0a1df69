// The contract between `npm start` and the parts it starts: the settings a person may give (environment variables), their
// defaults, and the environment every part receives. infra/README.md shows the same as a table.
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StartError } from './errors.mjs'

/** Root of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * @typedef {object} Settings
 * @property {string} data absolute path of everything this installation owns
 * @property {Paths} paths places inside `data`
 * @property {{ web: number, registry: number, router: number, postgres: number }} ports postgres 0: no TCP, socket only
 * @property {string} webUrl @property {string} registryUrl @property {string} baseDomain
 * @property {string | undefined} databaseUrl given by the person: then no Postgres is started
 * @property {string | undefined} redisUrl given by the person: then no Redis is started
 * @property {string | undefined} adminEmail @property {string | undefined} adminPasswordFile
 * @property {string[]} downloadInside places inside this network that a Dockerfile may fetch from
 * @property {boolean} install whether missing system packages may be installed
 * @property {string} version
 *
 * @typedef {ReturnType<typeof pathsIn>} Paths
 */

/** Where things lie inside the data folder. Sockets stay short: a socket's path may hold 107 bytes. */
export const pathsIn = (/** @type {string} */ data) => ({
  secrets: join(data, 'secrets'),
  run: join(data, 'run'),
  logs: join(data, 'logs'),
  postgres: join(data, 'postgres'),
  redis: join(data, 'redis'),
  caddy: join(data, 'caddy'),
  agent: join(data, 'agent'),
  registry: join(data, 'registry'),
  examples: join(data, 'examples'),
  lock: join(data, 'run/lock.json'),
  processes: join(data, 'run/processes.json'),
  postgresSocketDir: join(data, 'run/postgres'),
  redisSocket: join(data, 'run/redis.sock'),
  caddyAdminSocket: join(data, 'run/caddy-admin.sock'),
  agentSocket: join(data, 'run/agent.sock'),
  setupToken: join(data, 'secrets/setup-token'),
})

/**
 * Reads the settings a person gave. Throws StartError that names the variable when one makes no sense.
 * @param {Record<string, string | undefined>} env
 * @returns {Settings}
 */
export function readSettings(env) {
  const data = resolve(text(env, 'SLIPWAY_DATA') ?? '/var/lib/slipway')
  const paths = pathsIn(data)
  const longest = Buffer.byteLength(join(paths.postgresSocketDir, '.s.PGSQL.65535'))
  if (longest > 107) {
    throw new StartError(`The data folder's path is ${longest - 107} bytes too long for the sockets inside it: ${data}`, {
      hint: 'Choose a shorter SLIPWAY_DATA, such as /var/lib/slipway.',
    })
  }
  const ports = {
    web: port(env, 'SLIPWAY_WEB_PORT', 3000),
    registry: port(env, 'SLIPWAY_REGISTRY_PORT', 5000),
    router: port(env, 'SLIPWAY_ROUTER_PORT', 8080),
    postgres: port(env, 'SLIPWAY_POSTGRES_PORT', 0, { zero: true }),
  }
  const names = {
    web: 'SLIPWAY_WEB_PORT',
    registry: 'SLIPWAY_REGISTRY_PORT',
    router: 'SLIPWAY_ROUTER_PORT',
    postgres: 'SLIPWAY_POSTGRES_PORT',
  }
  const seen = new Map()
  for (const [part, value] of Object.entries(ports)) {
    if (value !== 0 && seen.has(value)) {
      throw new StartError(`${names[part]} and ${seen.get(value)} are both ${value}.`, { hint: 'Give each part a port of its own.' })
    }
    seen.set(value, names[part])
  }
  const adminEmail = text(env, 'SLIPWAY_ADMIN_EMAIL')
  const adminPasswordFile = text(env, 'SLIPWAY_ADMIN_PASSWORD_FILE')
  if (Boolean(adminEmail) !== Boolean(adminPasswordFile)) {
    throw new StartError('SLIPWAY_ADMIN_EMAIL and SLIPWAY_ADMIN_PASSWORD_FILE go together; only one is set.', {
      hint: 'Set both to create the first account without a browser, or neither to get a one-time link.',
    })
  }
  return {
    data,
    paths,
    ports,
    webUrl: url(env, 'SLIPWAY_WEB_URL', ['http:', 'https:']) ?? `http://localhost:${ports.web}`,
    registryUrl: url(env, 'SLIPWAY_REGISTRY_URL', ['http:', 'https:']) ?? `http://127.0.0.1:${ports.registry}`,
    baseDomain: text(env, 'SLIPWAY_BASE_DOMAIN') ?? 'localhost',
    databaseUrl: url(env, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    redisUrl: url(env, 'REDIS_URL', ['redis:', 'rediss:', 'unix:']),
    adminEmail,
    adminPasswordFile: adminPasswordFile && resolve(adminPasswordFile),
    downloadInside:
      text(env, 'SLIPWAY_DOWNLOAD_INSIDE')
        ?.split(/[\s,]+/)
        .filter(Boolean) ?? [],
    install: text(env, 'SLIPWAY_INSTALL') !== '0',
    version: JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version,
  }
}

/**
 * The environment of every part. Nothing else of the caller's environment goes in but what programs need to find each other
 * (PATH, locale, proxies and certificates), so that a stray variable of a shell cannot change how a part behaves.
 * @param {Settings} settings
 * @param {{ databaseUrl: string, redisUrl: string }} stores
 * @param {Record<string, string | undefined>} env
 * @returns {Record<string, string>}
 */
export function partEnvironment(settings, stores, env) {
  return {
    ...inherited(env),
    NODE_ENV: 'production',
    SLIPWAY_VERSION: settings.version,
    SLIPWAY_DATA: settings.data,
    SLIPWAY_SECRETS: settings.paths.secrets,
    SLIPWAY_WEB_PORT: String(settings.ports.web),
    SLIPWAY_REGISTRY_PORT: String(settings.ports.registry),
    SLIPWAY_ROUTER_PORT: String(settings.ports.router),
    SLIPWAY_WEB_URL: settings.webUrl,
    SLIPWAY_REGISTRY_URL: settings.registryUrl,
    SLIPWAY_BASE_DOMAIN: settings.baseDomain,
    SLIPWAY_AGENT_SOCKET: settings.paths.agentSocket,
    SLIPWAY_CADDY_ADMIN: settings.paths.caddyAdminSocket,
    DATABASE_URL: stores.databaseUrl,
    REDIS_URL: stores.redisUrl,
  }
}

const INHERITED =
  /^(PATH|HOME|LANG|LC_[A-Z]+|TZ|TMPDIR|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO|RUST_LOG|LOG_LEVEL|SLIPWAY_[A-Z0-9_]+)$/i

/** @param {Record<string, string | undefined>} env @returns {Record<string, string>} */
export function inherited(env) {
  return Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) => (value !== undefined && INHERITED.test(key) ? [[key, value]] : [])),
  )
}

/**
 * Where the AWS SDK of the registry looks for who it is, when its store is a bucket. For no other part.
 * @param {Record<string, string | undefined>} env @returns {Record<string, string>}
 */
export function bucketCredentials(env) {
  if (text(env, 'SLIPWAY_REGISTRY_STORE') !== 's3') return {}
  return Object.fromEntries(
    Object.entries(env).flatMap(([key, value]) => (value !== undefined && /^AWS_[A-Z0-9_]+$/.test(key) ? [[key, value]] : [])),
  )
}

function text(env, name) {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
}

function port(env, name, fallback, { zero = false } = {}) {
  const given = text(env, name)
  if (given === undefined) return fallback
  const value = Number(given)
  if (!Number.isInteger(value) || value > 65_535 || value < (zero ? 0 : 1)) {
    throw new StartError(`${name} is “${given}”, which is no port.`, { hint: `Set it to a number from 1 to 65535 (default ${fallback}).` })
  }
  return value
}

function url(env, name, protocols) {
  const given = text(env, name)
  if (given === undefined) return undefined
  const parsed = URL.canParse(given) ? new URL(given) : undefined
  if (!parsed || !protocols.includes(parsed.protocol)) {
    // The value itself is not shown: it may hold a password.
    throw new StartError(`${name} is not a URL Slipway can use.`, {
      hint: `It must start with ${protocols.map((p) => `${p}//`).join(' or ')}.`,
    })
  }
  return given.replace(/\/$/, '')
}
