import { AppError, formatBytes } from '@slipway/core'

const READ_DEADLINE_MS = 10_000

/** The raw bytes of a request: at most `maxBytes`, within ten seconds, whatever the sender says about its length. */
export async function readBody(request: Request, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > maxBytes) throw tooLarge(maxBytes)
  if (!request.body) return Buffer.alloc(0)
  const reader = request.body.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), READ_DEADLINE_MS)
  })
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) return Buffer.concat(chunks)
      size += value.byteLength
      if (size > maxBytes) throw tooLarge(maxBytes)
      chunks.push(value)
    }
  } finally {
    clearTimeout(timer)
    // Not awaited: a sender that hangs must not hold us.
    reader.cancel().catch(() => undefined)
  }
}

const tooLarge = (maxBytes: number) =>
  new AppError({ kind: 'too-large', code: 'BODY_TOO_LARGE', message: `The body is over ${formatBytes(maxBytes)}.` })
const tooSlow = () => new AppError({ kind: 'bad-input', code: 'BODY_TOO_SLOW', message: 'The body did not arrive within 10 seconds.' })
