import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import Mustache from 'mustache'
import { addEntry, listEntries } from './store.js'

const port = Number(process.env.PORT ?? 3000)
const root = new URL('../', import.meta.url)
const template = await readFile(new URL('public/index.html', root), 'utf8')
const banner = await readFile(new URL('banner.txt', root), 'utf8').catch(() => 'Guestbook')

const server = createServer(async (request, response) => {
  try {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/healthz') return send(response, 200, 'text/plain', 'ok\n')
    if (pathname === '/entries.json') return send(response, 200, 'application/json', JSON.stringify(await listEntries()))
    if (pathname !== '/') return send(response, 404, 'text/plain', 'There is nothing here.\n')
    if (request.method === 'POST') {
      const form = new URLSearchParams(await readBody(request, 10_000))
      const name = (form.get('name') ?? '').trim().slice(0, 60)
      const message = (form.get('message') ?? '').trim().slice(0, 1000)
      if (name && message) await addEntry(name, message)
      response.writeHead(303, { location: '/' })
      return response.end()
    }
    const entries = await listEntries()
    send(response, 200, 'text/html; charset=utf-8', Mustache.render(template, { banner, entries, empty: entries.length === 0 }))
  } catch (error) {
    console.error(error)
    if (!response.headersSent) send(response, error.status ?? 500, 'text/plain', 'That did not work.\n')
  }
})

server.listen(port, '0.0.0.0', () => console.log(`guestbook listens on ${port}`))

// Requests under way are answered before the container stops.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    console.log(`${signal}: closing`)
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}

function send(response, status, type, body) {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(body)
}

async function readBody(request, limit) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > limit) throw Object.assign(new Error('The form is too large'), { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
