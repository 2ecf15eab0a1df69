import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Actor, Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Who may do what on one repository or project, and the scopes that are made of it. */
export interface AccessService {
  /**
   * One repository as the caller may see it, a member or not: with the highest of the role in the organization, of grants, and of what
   * its visibility gives. NOT_FOUND for everybody else, in the words of an unknown one.
   */
  repositoryScope(actor: Actor, organization: string, repository: string): Promise<Scope>
  /** One app, whose project's grants raise the role. */
  appScope(actor: Actor, organization: string, app: string): Promise<Scope>
  projectScope(actor: Actor, organization: string, project: string): Promise<Scope>

  repository(scope: Scope, input: Of<typeof inputs.repositoryAccess>): Promise<views.RepositoryAccessView>
  setVisibility(scope: Scope, input: Of<typeof inputs.setVisibility>): Promise<views.RepositoryAccessView>
  grantOnRepository(scope: Scope, input: Of<typeof inputs.grantOnRepository>): Promise<views.RepositoryAccessView>
  revokeOnRepository(scope: Scope, input: Of<typeof inputs.revokeOnRepository>): Promise<views.RepositoryAccessView>
  project(scope: Scope, input: Of<typeof inputs.projectAccess>): Promise<views.ProjectAccessView>
  grantOnProject(scope: Scope, input: Of<typeof inputs.grantOnProject>): Promise<views.ProjectAccessView>
  revokeOnProject(scope: Scope, input: Of<typeof inputs.revokeOnProject>): Promise<views.ProjectAccessView>

  /** Repositories and apps of organizations that the caller is no member of. */
  shared(actor: Actor, input: z.infer<typeof inputs.shared>): Promise<views.SharedView>
  /** The same of one organization; NOT_FOUND when there is nothing. */
  outside(actor: Actor, organization: string): Promise<views.OutsideView>
}
