import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server'
import { accessRouter, invitationsRouter, membersRouter, teamsRouter } from './access'
import { appsRouter } from './apps'
import { buildCacheRouter } from './build-cache'
import { buildsRouter } from './builds'
import { contextsRouter } from './contexts'
import { deploymentsRouter } from './deployments'
import { filesRouter } from './files'
import { hostsRouter } from './hosts'
import { imagesRouter } from './images'
import { inspectionsRouter } from './inspections'
import { meRouter } from './me'
import { organizationsRouter } from './organizations'
import { outgoingRouter } from './outgoing'
import { policiesRouter, repositoriesRouter } from './policies'
import { projectsRouter } from './projects'
import { registryKeysRouter } from './registry-keys'
import { replicationRouter } from './replication'
import { robotsRouter } from './robots'
import { setupRouter } from './setup'
import { sharesRouter } from './shares'
import { storageRouter } from './storage'
import { createCallerFactory, publicProcedure, router } from './trpc'
import { upstreamsRouter } from './upstreams'

export const appRouter = router({
  setup: setupRouter,
  me: meRouter,
  organizations: organizationsRouter,
  access: accessRouter,
  members: membersRouter,
  invitations: invitationsRouter,
  teams: teamsRouter,
  projects: projectsRouter,
  apps: appsRouter,
  builds: buildsRouter,
  buildCache: buildCacheRouter,
  inspections: inspectionsRouter,
  contexts: contextsRouter,
  deployments: deploymentsRouter,
  images: imagesRouter,
  files: filesRouter,
  hosts: hostsRouter,
  robots: robotsRouter,
  shares: sharesRouter,
  policies: policiesRouter,
  repositories: repositoriesRouter,
  storage: storageRouter,
  registryKeys: registryKeysRouter,
  upstreams: upstreamsRouter,
  outgoing: outgoingRouter,
  replication: replicationRouter,
  system: router({ health: publicProcedure.query(({ ctx }) => ctx.services.health.get()) }),
})

export type AppRouter = typeof appRouter
export type RouterInputs = inferRouterInputs<AppRouter>
export type RouterOutputs = inferRouterOutputs<AppRouter>
/** For server components: `createCaller(context)`. */
export const createCaller = createCallerFactory(appRouter)
