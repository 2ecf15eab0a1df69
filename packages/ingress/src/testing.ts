/** Real parts for the tests of this package: Caddy, and upstream servers that tell who they are. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adminRequest } from './admin'

export async function freePort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface TestCaddy {
  home: string
  adminSocket: string
  /** `resume`: with the configuration that Caddy saved, as the start command does after a crash. */
  start(options?: { resume: boolean }): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  remove(): Promise<void>
}

/** Caddy as the start command boots it: the admin socket and nothing else. */
export async function testCaddy(): Promise<TestCaddy> {
  const home = await mkdtemp(join(tmpdir(), 'slipway-ingress-'))
  const adminSocket = join(home, 'caddy-admin.sock')
  const minimal = join(home, 'minimal.json')
  await writeFile(minimal, JSON.stringify({ admin: { listen: `unix/${adminSocket}` } }))
  let child: ChildProcess | null = null
  let output = ''
  const kill = async () => {
    if (!child) return
    const gone = new Promise((resolve) => child?.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    child = null
    await rm(adminSocket, { force: true })
  }
  return {
    home,
    adminSocket,
    async start(options = { resume: false }) {
      child = spawn('caddy', ['run', '--config', minimal, ...(options.resume ? ['--resume'] : [])], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: '/usr/local/bin:/usr/bin:/bin', XDG_DATA_HOME: home, XDG_CONFIG_HOME: home, HOME: home },
      })
      child.stderr?.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-8000)
      })
      for (let i = 0; ; i++) {
        try {
          await adminRequest(adminSocket, 'GET', '/config/', 1000)
          return
        } catch (error) {
          if (i === 100 || child.exitCode !== null) throw new Error(`caddy did not start:\n${output}`, { cause: error })
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
    },
    kill,
    async remove() {
      await kill()
      await rm(home, { recursive: true, force: true })
    },
  }
}

export async function testServer(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ address: string; server: Server }> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

export function get(port: number, host: string, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, headers: { Host: host, ...headers }, agent: false, signal: AbortSignal.timeout(10_000) },
      (reply) => {
        let body = ''
        reply.setEncoding('utf8')
        reply.on('data', (chunk: string) => {
          body += chunk
        })
        reply.on('error', reject)
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, headers: reply.headers, body }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}
