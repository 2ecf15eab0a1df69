import { type Context, createContext } from '@slipway/api'
import { env } from '../env'
import { log } from './log'
import { services } from './services'

/** A route handler of what the API answers with a stream instead of JSON. */
export const download =
  (answer: (request: Request, context: Context) => Promise<Response>) =>
  async (request: Request): Promise<Response> => {
    const context = await createContext({
      services: services(),
      headers: request.headers,
      responseHeaders: null,
      webUrl: env().SLIPWAY_WEB_URL,
      log: log(),
    })
    return answer(request, context)
  }
