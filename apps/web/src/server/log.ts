import { pino } from 'pino'
import { env } from '../env'

let instance: pino.Logger | undefined

/** JSON lines on stdout. What could hold a secret is taken out, whoever logs it. */
export function log(): pino.Logger {
  instance ??= pino({
    name: 'web',
    level: env().SLIPWAY_LOG_LEVEL,
    redact: ['password', 'token', '*.password', '*.token', 'headers.authorization', 'headers.cookie'],
  })
  return instance
}
