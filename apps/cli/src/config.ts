/** The sign-in that `slipway login` keeps, readable by its owner only. */
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CliError, EXIT } from './errors'

export interface SavedConfig {
  url: string
  apiKey: string
  organization: string | null
}

export async function loadConfig(path: string): Promise<SavedConfig | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
  const broken = (cause?: unknown) =>
    new CliError(EXIT.usage, 'CONFIG_BROKEN', `${path} cannot be read.`, 'Run slipway login again.', cause)
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('url' in value) || !('apiKey' in value)) throw broken()
    const organization = 'organization' in value && typeof value.organization === 'string' ? value.organization : null
    if (typeof value.url !== 'string' || typeof value.apiKey !== 'string') throw broken()
    return { url: value.url, apiKey: value.apiKey, organization }
  } catch (error) {
    throw error instanceof CliError ? error : broken(error)
  }
}

export async function saveConfig(path: string, config: SavedConfig): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  await chmod(temporary, 0o600)
  await rename(temporary, path)
}

export const removeConfig = (path: string): Promise<void> => rm(path, { force: true })
