import { Agent, request } from 'node:http'

export interface LoadResult {
  sent: number
  failed: { at: number; why: string }[]
  /** Distinct bodies (trimmed) and how often each came. */
  bodies: Map<string, number>
}

/** A steady load on one hostname until `stop`; every answer that is not 200 counts as failed. Keep-alive, as browsers do. */
export function startLoad(routerPort: number, hostname: string, perSecond: number): { stop(): Promise<LoadResult> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const result: LoadResult = { sent: 0, failed: [], bodies: new Map() }
  const open = new Set<Promise<void>>()
  const one = () => {
    result.sent++
    const at = Date.now()
    const done = new Promise<void>((resolve) => {
      const fail = (why: string) => {
        result.failed.push({ at, why })
        resolve()
      }
      const call = request(
        { host: '127.0.0.1', port: routerPort, path: '/', agent, headers: { host: `${hostname}:${routerPort}` }, timeout: 10_000 },
        (response) => {
          let body = ''
          response.setEncoding('utf8')
          response.on('data', (text: string) => {
            body += text
          })
          response.on('error', (error) => fail(error.message))
          response.on('end', () => {
            if (response.statusCode !== 200) return fail(`status ${response.statusCode}`)
            const key = body.trim().slice(0, 200)
            result.bodies.set(key, (result.bodies.get(key) ?? 0) + 1)
            resolve()
          })
        },
      )
      call.on('timeout', () => call.destroy(new Error('timeout')))
      call.on('error', (error) => fail(error.message))
      call.end()
    })
    open.add(done)
    void done.then(() => open.delete(done))
  }
  const timer = setInterval(one, 1000 / perSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      return result
    },
  }
}
