import { buildOutput, createContext } from '@slipway/api'
import { env } from '../../../../env'
import { log } from '../../../../server/log'
import { services } from '../../../../server/services'

export const dynamic = 'force-dynamic'

export async function GET(request: Request): Promise<Response> {
  const context = await createContext({
    services: services(),
    headers: request.headers,
    responseHeaders: null,
    webUrl: env().SLIPWAY_WEB_URL,
    log: log(),
  })
  return buildOutput(request, context)
}
