import { log } from './log'
import { services } from './services'

const RETRY_MS = 2000

/**
 * The first account of the settings, or the one-time token while there is no account. Postgres may come up later than
 * this process (systemd, docker compose), so it is tried again until it answers; requests are served meanwhile.
 */
export async function prepare(): Promise<void> {
  try {
    await services().setup.prepare()
  } catch (error) {
    log().error({ err: error }, 'the first account could not be prepared; trying again')
    setTimeout(() => void prepare(), RETRY_MS).unref()
  }
}
