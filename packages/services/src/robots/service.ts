import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Logins of machines to the organization's part of the registry; for those who manage the registry. */
export interface RobotsService {
  list(scope: Scope): Promise<views.RobotView[]>
  create(scope: Scope, input: Of<typeof inputs.createRobot>): Promise<views.CreatedRobotView>
  update(scope: Scope, input: Of<typeof inputs.updateRobot>): Promise<views.RobotView>
  /** A new secret; the old one is refused from the next login on. */
  rotate(scope: Scope, input: Of<typeof inputs.robot>): Promise<views.CreatedRobotView>
  delete(scope: Scope, input: Of<typeof inputs.robot>): Promise<views.RobotView>
}
