import 'server-only'
import { createCaller, createContext } from '@slipway/api'
import { headers } from 'next/headers'
import { cache } from 'react'
import { env } from '../env'
import { log } from './log'
import { services } from './services'

/** The API for server components, as the signed-in user of the request; queries only, since no Origin vouches for a page load. */
export const caller = cache(async () =>
  createCaller(
    await createContext({
      services: services(),
      headers: new Headers(await headers()),
      responseHeaders: null,
      webUrl: env().SLIPWAY_WEB_URL,
      log: log(),
    }),
  ),
)
