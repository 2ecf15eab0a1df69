/**
 * An SSH agent with one key: tells it, signs with it, and refuses everything else (draft-ietf-sshm-ssh-agent).
 * The one of the library ssh2 loses its place when OpenSSH asks for an extension, which every new connection does.
 */
import { createServer, type Socket } from 'node:net'
import type { ParsedKey } from 'ssh2'

const [FAILURE, REQUEST_IDENTITIES, IDENTITIES_ANSWER, SIGN_REQUEST, SIGN_RESPONSE] = [5, 11, 12, 13, 14]
/** As OpenSSH's agent. */
const MAX_MESSAGE = 256 * 1024

export interface SigningAgent {
  /** The folder of the socket must be this user's alone. */
  listen(path: string): Promise<void>
  close(): void
}

export function signingAgent(key: ParsedKey): SigningAgent {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    let buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 4) {
        const length = buffer.readUInt32BE(0)
        if (length === 0 || length > MAX_MESSAGE) return socket.destroy()
        if (buffer.length < 4 + length) return
        socket.write(string(answer(key, buffer.subarray(4, 4 + length))))
        buffer = buffer.subarray(4 + length)
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => open.delete(socket))
  })
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

function answer(key: ParsedKey, message: Buffer): Buffer {
  const type = message[0]
  if (type === REQUEST_IDENTITIES)
    return Buffer.concat([Buffer.from([IDENTITIES_ANSWER]), number(1), string(key.getPublicSSH()), string(Buffer.from(key.comment))])
  if (type === SIGN_REQUEST) {
    const [asked, data] = strings(message.subarray(1), 2)
    if (asked?.equals(key.getPublicSSH()) && data) {
      const signature = key.sign(data)
      if (Buffer.isBuffer(signature))
        return Buffer.concat([Buffer.from([SIGN_RESPONSE]), string(Buffer.concat([string(Buffer.from(key.type)), string(signature)]))])
    }
  }
  return Buffer.from([FAILURE])
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const string = (bytes: Buffer) => Buffer.concat([number(bytes.length), bytes])

function strings(bytes: Buffer, count: number): Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; found.length < count && at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    if (at + 4 + length > bytes.length) break
    found.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return found
}
