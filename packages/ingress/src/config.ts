/**
 * Caddy's configuration. It never changes with the apps: which upstreams a host has is looked up for each request in the
 * routes directory (see route-directory.ts), because every reload of Caddy, whatever the API call, closes the idle
 * keep-alive connections of all clients, and a request that is just being sent on one of them is lost.
 *
 * routes/hello.localhost/10.1.2.3:8080              one upstream
 * routes/shop.localhost/10.1.2.4:80,10.1.2.5:80     two
 * routes/asleep.localhost/                          no healthy one: 503
 */

import { ADMIN_HOST } from './admin'
import { NOT_ANSWERING_PAGE, NOT_FOUND_PAGE, NOT_RUNNING_PAGE } from './pages'
import { MAX_UPSTREAMS } from './routes'

export interface RouterConfigInit {
  /** Path of the admin API's Unix socket. */
  adminSocket: string
  routesDirectory: string
  /** Port for plain HTTP on all addresses. */
  port: number
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

const html = (status: number, body: string, headers: Record<string, string> = {}): Json => ({
  handler: 'static_response',
  status_code: status,
  headers: {
    'Content-Type': ['text/html; charset=utf-8'],
    'Cache-Control': ['no-store'],
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
  },
  body,
})

const upstream = (index: number) => `{slipway.upstream${index}}`

const proxy = (count: number): Json => ({
  handler: 'reverse_proxy',
  upstreams: Array.from({ length: count }, (_, i) => ({ dial: upstream(i + 1) })),
  load_balancing: {
    selection_policy: { policy: 'random' },
    // An app that restarts refuses connections for a moment. Only what was not yet sent is tried again.
    try_duration: '3s',
    try_interval: '100ms',
  },
  transport: {
    protocol: 'http',
    dial_timeout: '3s',
    response_header_timeout: '10m',
    // Shorter than what servers allow (Node 5 s, gunicorn 2 s): a POST on a connection that the app is just closing
    // cannot be sent again.
    keep_alive: { enabled: true, idle_timeout: '1s', max_idle_conns_per_host: 64 },
    compression: false,
  },
})

/** One look into the routes directory; a miss falls through to the next route. */
const lookup = (root: string): Json => ({
  match: [{ file: { root, try_files: ['/{http.request.host}/*'] } }],
  handle: [
    {
      handler: 'map',
      source: '{http.matchers.file.relative}',
      destinations: Array.from({ length: MAX_UPSTREAMS }, (_, i) => upstream(i + 1)),
      mappings: [
        {
          input_regexp: `^/[^/]+/([^,/]+)${'(?:,([^,/]+))?'.repeat(MAX_UPSTREAMS - 1)}$`,
          outputs: Array.from({ length: MAX_UPSTREAMS }, (_, i) => `$${i + 1}`),
        },
      ],
    },
    {
      handler: 'subroute',
      routes: Array.from({ length: MAX_UPSTREAMS }, (_, i): Json => {
        const count = i + 1
        const handle = [proxy(count)]
        return count === MAX_UPSTREAMS ? { handle } : { match: [{ vars: { [upstream(count + 1)]: [''] } }], handle }
      }),
    },
  ],
  terminal: true,
})

export function routerConfig({ adminSocket, routesDirectory, port }: RouterConfigInit): Json {
  return {
    // Caddy saves this configuration, so that `caddy run --resume` serves at once after a crash.
    admin: { listen: `unix/${adminSocket}`, origins: [ADMIN_HOST] },
    logging: { logs: { default: { level: 'WARN' } } },
    apps: {
      http: {
        grace_period: '10s',
        servers: {
          apps: {
            listen: [`:${port}`],
            protocols: ['h1'],
            automatic_https: { disable: true },
            read_header_timeout: '15s',
            idle_timeout: '2m',
            max_header_bytes: 131_072,
            routes: [
              {
                // The host becomes a path: only what can be a directory of ours is looked up.
                match: [{ vars_regexp: { '{http.request.host}': { pattern: '^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$' } } }],
                handle: [
                  {
                    handler: 'subroute',
                    routes: [
                      lookup(routesDirectory),
                      // Caddy lists, then looks at each file: a switch in between makes the first lookup miss.
                      lookup(routesDirectory),
                      lookup(routesDirectory),
                      {
                        match: [{ file: { root: routesDirectory, try_files: ['/{http.request.host}/'] } }],
                        handle: [html(503, NOT_RUNNING_PAGE, { 'Retry-After': '5' })],
                        terminal: true,
                      },
                    ],
                  },
                ],
              },
              { handle: [html(404, NOT_FOUND_PAGE)] },
            ],
            errors: {
              routes: [
                {
                  match: [{ expression: '{http.error.status_code} in [502, 503, 504]' }],
                  handle: [html(502, NOT_ANSWERING_PAGE, { 'Retry-After': '5' })],
                },
              ],
            },
          },
        },
      },
    },
  }
}
