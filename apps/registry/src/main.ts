import { pino } from 'pino'
import { loadTokenKeys } from './auth/keys'
import { readSettings } from './env'
import { openSealer } from './sealer'
import { startRegistry } from './server'
import { openStore } from './store/open'

import { verifyCommand } from './verify/command'

async function main(): Promise<void> {
  const [command, ...rest] = process.argv.slice(2)
  if (command === 'verify') process.exit(await verifyCommand(rest, (line) => process.stdout.write(`${line}\n`)))
  const settings = readSettings()
  const log = pino({ name: 'registry', level: settings.logLevel })
  const keys = await loadTokenKeys(settings.tokenKeyFile)
  const sealer = openSealer(settings.secrets, log)
  const store = await openStore(settings.store)
  const registry = await startRegistry({ ...settings, store, keys, log, ...(sealer ? { sealer } : {}) })
  log.info({ port: registry.port, host: settings.host, store: settings.store.kind, version: settings.version }, 'registry is ready')

  let stopping = false
  const stop = (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    registry.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  process.stderr.write(`registry: ${message}${inUse ? ' (choose another with SLIPWAY_REGISTRY_PORT)' : ''}\n`)
  process.exit(1)
})
