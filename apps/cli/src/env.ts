import { homedir } from 'node:os'
import { join } from 'node:path'

export interface CliEnv {
  /** Overrides of the saved sign-in. */
  url: string | undefined
  apiKey: string | undefined
  organization: string | undefined
  configPath: string
  /** What is known of files that were uploaded; may go at any time. */
  cacheDir: string
  /** Where docker, podman and others keep their logins to registries. */
  dockerConfigPath: string
  /** https://no-color.org */
  noColor: boolean
  /** Any variable by name: the value of `--secret NAME`. */
  variable(name: string): string | undefined
}

/** The only place that reads the environment. */
export function readEnv(env: NodeJS.ProcessEnv = process.env): CliEnv {
  const set = (name: string) => env[name] || undefined
  return {
    url: set('SLIPWAY_URL'),
    apiKey: set('SLIPWAY_API_KEY'),
    organization: set('SLIPWAY_ORG'),
    configPath: join(set('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'slipway', 'config.json'),
    cacheDir: join(set('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'slipway'),
    dockerConfigPath: join(set('DOCKER_CONFIG') ?? join(set('HOME') ?? homedir(), '.docker'), 'config.json'),
    noColor: set('NO_COLOR') !== undefined || env.TERM === 'dumb',
    variable: (name) => env[name],
  }
}
