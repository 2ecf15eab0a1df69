import { appRouter, createContext } from '@slipway/api'
import { isAppError } from '@slipway/core'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { env } from '../../../../env'
import { limited } from '../../../../server/limited'
import { log } from '../../../../server/log'
import { services } from '../../../../server/services'

export const dynamic = 'force-dynamic'

/** Room for 200 variables of 32 kB. */
const MAX_BODY = 8_000_000

const serve = (request: Request) =>
  fetchRequestHandler({
    endpoint: '/api/trpc',
    req: request,
    router: appRouter,
    maxBatchSize: 20,
    createContext: ({ resHeaders }) =>
      createContext({
        services: services(),
        headers: request.headers,
        responseHeaders: resHeaders,
        webUrl: env().SLIPWAY_WEB_URL,
        log: log(),
      }),
    onError({ error, path, type }) {
      // What a procedure throws is an AppError by now, logged with its id; this hears of the rest, a context that broke.
      if (error.code === 'INTERNAL_SERVER_ERROR' && !isAppError(error.cause))
        log().error({ err: error.cause ?? error, path, type }, 'an API call failed')
    },
  })

const handler = (request: Request) => limited(request, MAX_BODY, serve)

export { handler as GET, handler as POST }
