import type { inputs, views } from '@slipway/contracts'
import { isBuildOver, isDeploymentSettled } from '@slipway/core'
import type { z } from 'zod'
import { type Api, until } from './api'

export type NewGitApp = Partial<Extract<z.input<typeof inputs.createApp>, { source: 'git' }>> & { gitUrl: string; name: string }

/** Busybox's httpd serving one text at every path; the smallest app that there is. */
export const textApp = (text: string, extra = ''): Record<string, string> => ({
  Dockerfile: `FROM slipway.local/base/busybox\nCOPY index.html /www/index.html\n${extra}EXPOSE 8080\nCMD ["httpd", "-f", "-v", "-p", "8080", "-h", "/www"]\n`,
  'index.html': `${text}\n`,
})

export async function createGitApp(api: Api, org: string, app: NewGitApp): Promise<string> {
  await api.projects.create.mutate({ org, name: 'Tests' }).catch(() => undefined)
  const created = await api.apps.create.mutate({ org, project: 'tests', source: 'git', ...app })
  return created.app
}

export const buildOver = (api: Api, org: string, app: string, number: number, timeoutMs = 90_000): Promise<views.BuildView> =>
  until(
    `build #${number} of ${app} over`,
    async () => {
      const build = await api.builds.get.query({ org, app, number })
      return isBuildOver(build.state) && build
    },
    timeoutMs,
  )

export const deploymentSettled = (api: Api, org: string, app: string, number: number, timeoutMs = 90_000): Promise<views.DeploymentView> =>
  until(
    `deployment #${number} of ${app} settled`,
    async () => {
      const deployment = await api.deployments.get.query({ org, app, number })
      return isDeploymentSettled(deployment.state) && deployment
    },
    timeoutMs,
  )

/** Waits until the app serves, and gives its hostname. */
export async function serving(api: Api, org: string, app: string, timeoutMs = 90_000): Promise<{ hostname: string; deployment: number }> {
  const view = await until(
    `${app} serves`,
    async () => {
      const found = await api.apps.get.query({ org, app })
      if (found.state === 'failed') throw new Error(`failed: ${JSON.stringify(found.inFlight?.error ?? found.activity)}`)
      return found.serving && !found.inFlight && !found.inFlightBuild && found
    },
    timeoutMs,
  )
  return { hostname: new URL(view.url).hostname, deployment: view.serving?.number ?? 0 }
}
