import { createAccess } from './access/access'
import { createActivity } from './activity/activity'
import { createApiKeys } from './api-keys/api-keys'
import { createApps } from './apps/apps'
import { createAuth } from './auth/auth'
import { createSetup } from './auth/setup'
import { createBuildCache } from './build-cache/build-cache'
import { createBuilds } from './builds/builds'
import { createContexts } from './builds/upload'
import { createChanges } from './changes/changes'
import { createDeployments } from './deployments/deployments'
import type { Deps } from './deps'
import { createHealth } from './health/health'
import { createHosts } from './hosts/hosts'
import { createImages } from './images/images'
import { createInspections } from './inspections/inspections'
import { createFiles } from './layers/files'
import { createLogins } from './logins/logins'
import { createInvitations } from './members/invitations'
import { createMembers } from './members/members'
import { createOrganizations } from './organizations/organizations'
import { createOutgoing } from './outgoing/outgoing'
import { createDryRun } from './policies/dry-run'
import { createPolicies } from './policies/policies'
import { createRepositories } from './policies/repository'
import { createProjects } from './projects/projects'
import { createRegistryKeys } from './registry-keys/registry-keys'
import { createReplication } from './replication/replication'
import { createRobots } from './robots/robots'
import type { Services } from './services'
import { createShares } from './shares/shares'
import { createStorage } from './storage/storage'
import { createTeams } from './teams/teams'
import { createUpstreams } from './upstreams/upstreams'
import { createWebhooks } from './webhooks/webhooks'

/** All use cases over one set of connections; the caller made these and ends them. */
export function createServices(deps: Deps): Services {
  const deployments = createDeployments(deps)
  const access = createAccess(deps)
  const dryRun = createDryRun(deps)
  return {
    auth: createAuth(deps),
    setup: createSetup(deps),
    apiKeys: createApiKeys(deps),
    organizations: createOrganizations(deps),
    activity: createActivity(deps),
    access,
    members: createMembers(deps),
    invitations: createInvitations(deps),
    teams: createTeams(deps),
    outgoing: createOutgoing(deps),
    replication: createReplication(deps),
    projects: createProjects(deps),
    apps: createApps(deps, deployments),
    webhooks: createWebhooks(deps),
    builds: createBuilds(deps),
    inspections: createInspections(deps),
    contexts: createContexts(deps),
    deployments,
    images: createImages(deps),
    files: createFiles(deps),
    hosts: createHosts(deps),
    buildCache: createBuildCache(deps),
    robots: createRobots(deps),
    shares: createShares(deps),
    logins: createLogins(deps),
    policies: createPolicies(deps, dryRun),
    repositories: createRepositories(deps, access, dryRun),
    storage: createStorage(deps),
    registryKeys: createRegistryKeys(deps),
    upstreams: createUpstreams(deps),
    health: createHealth(deps),
    changes: createChanges(deps),
  }
}
