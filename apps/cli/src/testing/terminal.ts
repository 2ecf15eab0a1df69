/** For tests: one run of the whole command line, and what it wrote. */
import { buffer } from 'node:stream/consumers'
import { readEnv } from '../env'
import { run } from '../program'

export interface Ran {
  code: number
  out: string
  err: string
  /** What went to stdout as bytes. */
  bytes: Buffer
}

export interface RunOptions {
  env: Record<string, string>
  stdin?: string
  tty?: boolean
  signal?: AbortSignal
}

export async function runSlipway(args: string[], { env, stdin = '', tty = false, signal }: RunOptions): Promise<Ran> {
  const ran: Ran = { code: -1, out: '', err: '', bytes: Buffer.alloc(0) }
  const io = {
    out: (text: string) => {
      ran.out += text
    },
    outStream: async (stream: Parameters<typeof buffer>[0]) => {
      ran.bytes = await buffer(stream)
    },
    err: (text: string) => {
      ran.err += text
    },
    isTty: tty,
    columns: 80,
    readInput: async () => stdin,
    askSecret: async () => null,
  }
  ran.code = await run(args, io, readEnv(env), '1.2.3', signal ?? new AbortController().signal)
  return ran
}
