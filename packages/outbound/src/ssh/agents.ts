/** SSH agents for those who are not trusted: they tell keys and sign with them, and refuse everything else. */
import { createServer, connect as openSocket, type Socket } from 'node:net'
import type { SshKey } from './keys'
import { Frames, failure, IDENTITIES_ANSWER, isAnswer, number, readQuestion, SIGN_RESPONSE, type SignRequest, string } from './messages'

/** Answers one message of the protocol, without its length. May fail: `answerSafely` makes that a refusal. */
export type SshAgent = (message: Buffer) => Promise<Buffer>

/** Somebody may have to touch a key, or to say yes. */
export const AGENT_ANSWER_MS = 60_000
const MAX_CONNECTIONS = 64

/** The answer to one of the two questions that there are; a refusal of everything else, and of signatures with SHA-1. */
export async function answerSafely(agent: SshAgent, message: Buffer): Promise<Buffer> {
  const question = readQuestion(message)
  if (!question || (question !== 'identities' && isSha1(question))) return failure()
  try {
    const answer = await agent(message)
    return isAnswer(question, answer) ? answer : failure()
  } catch {
    return failure()
  }
}

/** Also of a certificate on an RSA key. */
const isSha1 = ({ key, flags }: SignRequest) => key.subarray(4, 11).toString('latin1') === 'ssh-rsa' && (flags & 6) === 0

/** Of keys in this process's memory. */
export const keysAgent =
  (keys: readonly SshKey[]): SshAgent =>
  async (message) => {
    const question = readQuestion(message)
    if (question === 'identities')
      return Buffer.concat([
        Buffer.from([IDENTITIES_ANSWER]),
        number(keys.length),
        ...keys.flatMap((key) => [string(key.public), string(key.comment)]),
      ])
    const signed = question && keys.find((key) => key.public.equals(question.key))?.sign(question.data, question.flags)
    return signed ? Buffer.concat([Buffer.from([SIGN_RESPONSE]), string(signed)]) : failure()
  }

/** The agent that listens at a Unix socket, asked over a connection for each question, as OpenSSH's clients do. */
export const socketAgent =
  (path: string): SshAgent =>
  (message) =>
    new Promise((resolve, reject) => {
      const socket = openSocket(path)
      const end = (finish: () => void) => {
        clearTimeout(deadline)
        socket.destroy()
        finish()
      }
      const gone = (why: string) => end(() => reject(new Error(`the SSH agent ${why}`)))
      const deadline = setTimeout(() => gone('does not answer'), AGENT_ANSWER_MS)
      const frames = new Frames()
      socket.on('error', () => gone('cannot be reached'))
      socket.on('close', () => gone('broke off'))
      socket.on('data', (chunk) => {
        try {
          const [answer] = frames.push(chunk)
          if (answer) end(() => resolve(answer))
        } catch {
          gone('answered wrongly')
        }
      })
      socket.write(string(message))
    })

export interface ServedAgent {
  /** The folder of the socket must be this user's alone. */
  listen(path: string): Promise<void>
  close(): void
}

/** Lets others ask at a Unix socket. One question of a connection after the other. */
export function serveAgent(agent: SshAgent): ServedAgent {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => open.delete(socket))
    void serve(agent, socket).catch(() => socket.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  return {
    listen: (path) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(path, resolve)
      }),
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

async function serve(agent: SshAgent, socket: Socket): Promise<void> {
  const frames = new Frames()
  for await (const chunk of socket)
    for (const message of frames.push(chunk as Buffer)) socket.write(string(await answerSafely(agent, message)))
}
