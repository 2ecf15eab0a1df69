// Node's own modules that few commands need are loaded by those.
import packageJson from '../package.json'
import { readEnv } from './env'
import type { Io } from './output'
import { run } from './program'

const MAX_INPUT = 64 * 1024

const io: Io = {
  out: (chunk) => void process.stdout.write(chunk),
  outStream: async (stream) => (await import('node:stream/promises')).pipeline(stream, process.stdout, { end: false }),
  err: (chunk) => void process.stderr.write(chunk),
  isTty: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 80,
  readInput: async () => (await (await import('node:stream/consumers')).text(process.stdin)).slice(0, MAX_INPUT),
  async askSecret(question) {
    if (!process.stdin.isTTY) return null
    const [{ createInterface }, { Writable }] = await Promise.all([import('node:readline'), import('node:stream')])
    process.stderr.write(question)
    // readline echoes what is typed; into nothing.
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
    const reader = createInterface({ input: process.stdin, output: silent, terminal: true })
    const answer = await new Promise<string | null>((resolve) => {
      reader.once('line', resolve)
      reader.once('close', () => resolve(null))
      reader.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    })
    reader.close()
    process.stderr.write('\n')
    return answer
  },
}

// `slipway apps | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70))

const interrupted = new AbortController()
process.on('SIGINT', () => {
  if (interrupted.signal.aborted) process.exit(130)
  interrupted.abort()
  // Commands that wait end by the signal; anything else ends here.
  setTimeout(() => process.exit(130), 2000).unref()
})

void run(process.argv.slice(2), io, readEnv(), packageJson.version, interrupted.signal).then((code) => {
  // Sockets kept alive for a next call would hold the process for seconds.
  process.stdout.write('', () => process.exit(code))
})
