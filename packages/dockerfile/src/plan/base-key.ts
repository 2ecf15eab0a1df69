/** The name of a base image among those to resolve: its reference, behind its platform where that is not the build host's. */
import { formatPlatform, type Platform, parsePlatform, samePlatform } from './platform'

export const baseKey = (reference: string, platform: Platform, host: Platform): string =>
  samePlatform(platform, host) ? reference : `--platform=${formatPlatform(platform)} ${reference}`

/** What `baseReferences` named; `platform` null: the build host's. */
export function splitBase(key: string): { reference: string; platform: Platform | null } {
  const match = /^--platform=(\S+) (.+)$/.exec(key)
  const platform = match?.[1] === undefined ? null : parsePlatform(match[1])
  return platform && match?.[2] !== undefined ? { reference: match[2], platform } : { reference: key, platform: null }
}
