import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Members by name, so that a role on a repository or project is given to all of them at once. */
export interface TeamsService {
  list(scope: Scope): Promise<views.TeamView[]>
  create(scope: Scope, input: Of<typeof inputs.createTeam>): Promise<views.TeamView>
  /** With its grants; its members stay members of the organization. */
  delete(scope: Scope, input: Of<typeof inputs.team>): Promise<views.TeamView>
  addMember(scope: Scope, input: Of<typeof inputs.teamMember>): Promise<views.TeamView>
  removeMember(scope: Scope, input: Of<typeof inputs.teamMember>): Promise<views.TeamView>
}
