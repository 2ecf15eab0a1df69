import { log } from './log'
import { closeServices, services } from './services'

const RETRY_MS = 2000
const STOP_DEADLINE_MS = 4000

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

/** Next's own handler waits for open requests. Live streams never end by themselves, so they are ended here; nothing waits for ever. */
export function stopOnSignal(): void {
  const stop = () => {
    setTimeout(() => process.exit(0), STOP_DEADLINE_MS).unref()
    closeServices().catch((error: unknown) => log().error({ err: error }, 'the connections could not be closed'))
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}
