/** Logins to registries as `docker login` keeps them: in the file itself, or with a helper program that is asked for each registry. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { RegistryCredentials } from '@slipway/oci'
import * as z from 'zod'
import { CliError, EXIT } from '../errors'

const HELPER_MS = 15_000
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
/** What a helper gives as the user name of a refresh token. */
const TOKEN_USER = '<token>'

const entry = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
})
const file = z.object({
  auths: z.record(z.string(), entry).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
})
const helperAnswer = z.object({ Username: z.string(), Secret: z.string() })

/** Undefined: there is no login to that registry. `registry`: as names of images have it, `docker.io` for Docker Hub. */
export async function dockerLogin(path: string, registry: string): Promise<RegistryCredentials | undefined> {
  const config = await readConfig(path)
  if (!config) return undefined
  const key = registry === 'docker.io' ? DOCKER_HUB_KEY : registry
  const helper = config.credHelpers?.[registry] ?? config.credsStore
  if (helper) {
    const found = await askHelper(helper, key)
    if (found) return found
  }
  const found = Object.entries(config.auths ?? {}).find(([name]) => name === key || hostOf(name) === registry)?.[1]
  return found && fromEntry(found)
}

/** Old files have addresses as keys. */
const hostOf = (key: string) => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '')

function fromEntry({ auth, username, password, identitytoken }: z.infer<typeof entry>): RegistryCredentials | undefined {
  if (identitytoken) return { identityToken: identitytoken }
  if (username && password) return { username, password }
  if (!auth) return undefined
  const decoded = Buffer.from(auth, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon < 1) return undefined
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') }
}

async function readConfig(path: string): Promise<z.infer<typeof file> | undefined> {
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined
    throw error
  }
  try {
    return file.parse(JSON.parse(content))
  } catch (cause) {
    throw new CliError(EXIT.usage, 'DOCKER_CONFIG_BROKEN', `${path} cannot be read.`, 'Mend it, or log in again with docker login.', cause)
  }
}

/** `docker-credential-<name> get`: the registry on stdin, JSON on stdout; it ends with an error when it knows none. */
async function askHelper(name: string, key: string): Promise<RegistryCredentials | undefined> {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) return undefined
  const child = spawn(`docker-credential-${name}`, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], timeout: HELPER_MS })
  const missing = new Promise<never>((_, reject) =>
    child.once('error', (cause) =>
      reject(
        new CliError(
          EXIT.usage,
          'CREDENTIAL_HELPER_MISSING',
          `docker-credential-${name} cannot be started.`,
          'Install it, or take it out of the docker config.',
          cause,
        ),
      ),
    ),
  )
  child.stdin.on('error', () => undefined)
  child.stdin.end(key)
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [output, code] = await Promise.race([Promise.all([text(child.stdout), ended]), missing])
  if (code !== 0) return undefined
  const answer = helperAnswer.safeParse(JSON.parse(output))
  if (!answer.success) return undefined
  const { Username, Secret } = answer.data
  return Username === TOKEN_USER ? { identityToken: Secret } : { username: Username, password: Secret }
}
