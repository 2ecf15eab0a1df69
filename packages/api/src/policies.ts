import { inputs } from '@slipway/contracts'
import { orgProcedure, repositoryProcedure, router, userProcedure } from './trpc'

/** Rules and limits of an organization's registry. */
export const policiesRouter = router({
  quota: orgProcedure.query(({ ctx }) => ctx.services.policies.quota(ctx.scope)),
  quotas: orgProcedure.query(({ ctx }) => ctx.services.policies.quotas(ctx.scope)),
  setQuota: orgProcedure.input(inputs.setQuota).mutation(({ ctx, input }) => ctx.services.policies.setQuota(ctx.scope, input)),
  rules: orgProcedure.query(({ ctx }) => ctx.services.policies.rules(ctx.scope)),
  addRule: orgProcedure
    .input(inputs.addTagRule)
    .mutation(({ ctx, input: { org: _, ...input } }) => ctx.services.policies.addRule(ctx.scope, input)),
  removeRule: orgProcedure.input(inputs.removeTagRule).mutation(({ ctx, input }) => ctx.services.policies.removeRule(ctx.scope, input)),
  retention: orgProcedure.query(({ ctx }) => ctx.services.policies.retention(ctx.scope)),
  setRetention: orgProcedure.input(inputs.setRetention).mutation(({ ctx, input }) => ctx.services.policies.setRetention(ctx.scope, input)),
  previewRetention: orgProcedure
    .input(inputs.previewRetention)
    .query(({ ctx, input }) => ctx.services.policies.previewRetention(ctx.scope, input)),
  runRetention: orgProcedure.mutation(({ ctx }) => ctx.services.policies.runRetention(ctx.scope)),
})

/** One repository: its rules, what it says of itself, its name. */
export const repositoriesRouter = router({
  policies: repositoryProcedure.query(({ ctx, input }) => ctx.services.repositories.policies(ctx.scope, input)),
  addRule: repositoryProcedure
    .input(inputs.addRepositoryRule)
    .mutation(({ ctx, input: { org: _, ...input } }) => ctx.services.repositories.addRule(ctx.scope, input)),
  removeRule: repositoryProcedure
    .input(inputs.removeRepositoryRule)
    .mutation(({ ctx, input }) => ctx.services.repositories.removeRule(ctx.scope, input)),
  setRetention: repositoryProcedure
    .input(inputs.setRepositoryRetention)
    .mutation(({ ctx, input }) => ctx.services.repositories.setRetention(ctx.scope, input)),
  previewRetention: repositoryProcedure
    .input(inputs.previewRepositoryRetention)
    .query(({ ctx, input }) => ctx.services.repositories.previewRetention(ctx.scope, input)),
  about: repositoryProcedure.query(({ ctx, input }) => ctx.services.repositories.about(ctx.scope, input)),
  setAbout: repositoryProcedure
    .input(inputs.setAbout)
    .mutation(({ ctx, input: { org: _, ...input } }) => ctx.services.repositories.setAbout(ctx.scope, input)),
  rename: repositoryProcedure
    .input(inputs.renameRepository)
    .mutation(({ ctx, input }) => ctx.services.repositories.rename(ctx.scope, input)),
  /** Of the whole organization: a role on this repository alone does not give it away. */
  transfer: orgProcedure
    .input(inputs.transferRepository)
    .mutation(({ ctx, input }) => ctx.services.repositories.transfer(ctx.scope, input)),
  delete: repositoryProcedure
    .input(inputs.deleteRepository)
    .mutation(({ ctx, input }) => ctx.services.repositories.delete(ctx.scope, input)),
  forgetName: repositoryProcedure
    .input(inputs.forgetName)
    .mutation(({ ctx, input }) => ctx.services.repositories.forgetName(ctx.scope, input)),
  moved: userProcedure.input(inputs.movedRepository).query(({ ctx, input }) => ctx.services.repositories.moved(ctx.actor, input)),
})
