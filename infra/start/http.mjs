import { request } from 'node:http'

/**
 * One HTTP request to a part of this machine, over a Unix socket or loopback, with a deadline.
 * @param {{ socketPath?: string, port?: number, method?: string, path: string, headers?: Record<string, string>, body?: Buffer | string | NodeJS.ReadableStream, deadlineMs?: number }} options
 * @returns {Promise<{ status: number, body: string, headers: import('node:http').IncomingHttpHeaders }>} the answer, at most 4 MB of it
 */
export function call({ socketPath, port, method = 'GET', path, headers, body, deadlineMs = 5_000 }) {
  return new Promise((resolve, reject) => {
    const target = socketPath ? { socketPath } : { host: '127.0.0.1', port }
    const outgoing = request({ ...target, method, path, headers, signal: AbortSignal.timeout(deadlineMs) }, (answer) => {
      const chunks = []
      let size = 0
      answer.on('data', (chunk) => {
        size += chunk.length
        if (size <= 4 * 1024 * 1024) chunks.push(chunk)
      })
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8'), headers: answer.headers }),
      )
      answer.on('error', reject)
    })
    outgoing.on('error', reject)
    if (body && typeof body === 'object' && 'pipe' in body) {
      body.on('error', (error) => outgoing.destroy(error))
      body.pipe(outgoing)
    } else outgoing.end(body)
  })
}
