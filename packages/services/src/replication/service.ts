import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Images copied to and from other registries: for those who manage the registry. */
export interface ReplicationService {
  list(scope: Scope): Promise<views.ReplicationListView>
  create(scope: Scope, input: Of<typeof inputs.createReplication>): Promise<{ id: string }>
  update(scope: Scope, input: Of<typeof inputs.updateReplication>): Promise<{ id: string }>
  delete(scope: Scope, input: Of<typeof inputs.replication>): Promise<views.ReplicationListView>
  test(scope: Scope, input: Of<typeof inputs.testReplication>): Promise<views.ReplicationTestView>
  /** Begins a run of all that the rule names. */
  run(scope: Scope, input: Of<typeof inputs.replication>): Promise<{ id: string }>
  /** Ends a run after the pieces that are on their way. */
  cancel(scope: Scope, input: Of<typeof inputs.cancelReplication>): Promise<views.ReplicationRunView>
  runs(scope: Scope, input: Of<typeof inputs.listReplicationRuns>): Promise<views.Page<views.ReplicationRunView>>
  runOf(scope: Scope, input: Of<typeof inputs.replicationRun>): Promise<views.ReplicationRunView>
  items(scope: Scope, input: Of<typeof inputs.listReplicationItems>): Promise<views.Page<views.ReplicationItemView>>
}
