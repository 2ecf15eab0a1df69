import type { WayBack } from '@/components/missing'
import { readError } from './errors'
import { routes } from './routes'

/** From a build or a deployment that is not there: to those of its app, or to the apps when that is not there either. */
export const backToApp = (org: string, app: string, tab: 'builds' | 'deployments', error: unknown): WayBack =>
  error && readError(error).code === 'APP_NOT_FOUND'
    ? { href: routes.apps(org), label: 'All apps' }
    : { href: routes.appTab(org, app, tab), label: `All ${tab} of the app` }
