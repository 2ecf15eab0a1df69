/** Messages of the SSH agent protocol (draft-ietf-sshm-ssh-agent), without their length: a number that says what is asked, its fields. */

export const FAILURE = 5
export const REQUEST_IDENTITIES = 11
export const IDENTITIES_ANSWER = 12
export const SIGN_REQUEST = 13
export const SIGN_RESPONSE = 14

/** As OpenSSH's agent. */
export const MAX_MESSAGE = 256 * 1024

export const failure = () => Buffer.from([FAILURE])

export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const string = (bytes: Buffer | string): Buffer => {
  const content = Buffer.from(bytes)
  return Buffer.concat([number(content.length), content])
}

/** A positive integer: without zeros before it, but with one where it would look negative. */
export function mpint(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  const digits = start < 0 ? Buffer.alloc(0) : bytes.subarray(start)
  return string((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), digits]) : digits)
}

export interface SignRequest {
  key: Buffer
  data: Buffer
  /** Which hash, of RSA only (RFC 8332). */
  flags: number
}

/** What a step may ask; null for everything else, and for what breaks off. */
export function readQuestion(message: Buffer): 'identities' | SignRequest | null {
  if (message.length > MAX_MESSAGE) return null
  if (message[0] === REQUEST_IDENTITIES) return message.length === 1 ? 'identities' : null
  if (message[0] !== SIGN_REQUEST) return null
  const key = fieldAt(message, 1)
  const data = key && fieldAt(message, 5 + key.length)
  if (!key || !data) return null
  const end = 9 + key.length + data.length
  return message.length === end + 4 ? { key, data, flags: message.readUInt32BE(end) } : null
}

/** Whether it is what that question may be answered with. */
export function isAnswer(question: 'identities' | SignRequest, answer: Buffer): boolean {
  return answer.length <= MAX_MESSAGE && answer[0] === (question === 'identities' ? IDENTITIES_ANSWER : SIGN_RESPONSE)
}

function fieldAt(message: Buffer, at: number): Buffer | null {
  if (at + 4 > message.length) return null
  const end = at + 4 + message.readUInt32BE(at)
  return end > message.length ? null : message.subarray(at + 4, end)
}

/** Cuts a stream into messages. Throws for one that is empty or too large. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = []
    let rest = Buffer.concat([this.#rest, chunk])
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0)
      if (length === 0 || length > MAX_MESSAGE) throw new Error('a message of an SSH agent has a wrong length')
      if (rest.length < 4 + length) break
      messages.push(rest.subarray(4, 4 + length))
      rest = rest.subarray(4 + length)
    }
    this.#rest = rest
    return messages
  }
}
