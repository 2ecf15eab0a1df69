import { createSealer, readMasterKey, type Sealer } from '@slipway/secrets'
import type { Logger } from 'pino'

/** Upstreams' credentials are sealed with the master key. Without it everything else works, so it is a line in the log. */
export function openSealer(secrets: string, log: Logger): Sealer | undefined {
  try {
    return createSealer(readMasterKey(secrets))
  } catch (error) {
    log.warn({ err: error }, 'no master key: upstreams that have credentials cannot be asked')
    return undefined
  }
}
