import { AppError } from '@slipway/core'

export interface Route {
  /** `hello.localhost`; lower case. */
  hostname: string
  /** `10.1.2.3:8080` or `[fd00::2]:8080`, healthy ones only. None: the app answers 503. At most 8. */
  upstreams: string[]
  appId: string
}

export const MAX_UPSTREAMS = 8
const MAX_FILE_NAME = 255

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
export const isHostname = (text: string): boolean => text.length <= 253 && text.split('.').every((label) => LABEL.test(label))

const UPSTREAM = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{2,45}\]):(\d{1,5})$/
const isUpstream = (text: string): boolean => {
  const port = Number(UPSTREAM.exec(text)?.[1])
  return port >= 1 && port <= 65_535
}

/**
 * Routes → what lies in the routes directory: a directory for each hostname, in it one empty file whose name lists the
 * upstreams (null: no file, the app answers 503). Names become paths, so nothing but host names and addresses passes.
 * @throws AppError ROUTE_INVALID, ROUTE_CONFLICT
 */
export function routeFiles(routes: readonly Route[]): Map<string, string | null> {
  const files = new Map<string, string | null>()
  const owners = new Map<string, string>()
  const invalid = (message: string, appId: string) => new AppError({ kind: 'internal', code: 'ROUTE_INVALID', message, details: { appId } })
  for (const { hostname, upstreams, appId } of routes) {
    if (!isHostname(hostname)) throw invalid(`The router cannot serve "${hostname.slice(0, 260)}": it is no host name.`, appId)
    const owner = owners.get(hostname)
    if (owner !== undefined) {
      throw new AppError({
        kind: 'conflict',
        code: 'ROUTE_CONFLICT',
        message: `Two apps want the address ${hostname}. Change the domain of one of them.`,
        details: { hostname, appIds: [owner, appId] },
      })
    }
    owners.set(hostname, appId)
    const bad = upstreams.find((upstream) => !isUpstream(upstream))
    if (bad !== undefined)
      throw invalid(`The router cannot send ${hostname} to "${bad.slice(0, 80)}": it is no address with a port.`, appId)
    const name = [...new Set(upstreams)].sort().join(',')
    if (upstreams.length > MAX_UPSTREAMS || name.length > MAX_FILE_NAME) {
      throw invalid(`The router sends one address to at most ${MAX_UPSTREAMS} containers; ${hostname} has ${upstreams.length}.`, appId)
    }
    files.set(hostname, name === '' ? null : name)
  }
  return files
}
