import { inputs } from '@slipway/contracts'
import { orgProcedure, repositoryProcedure, router } from './trpc'

/** What is inside images; the content of files goes by HTTP (downloads.ts), or as text. */
export const filesRouter = router({
  state: repositoryProcedure.input(inputs.imageFiles).query(({ ctx, input }) => ctx.services.files.state(ctx.scope, input)),
  list: repositoryProcedure.input(inputs.listFiles).query(({ ctx, input }) => ctx.services.files.list(ctx.scope, input)),
  search: repositoryProcedure.input(inputs.searchFiles).query(({ ctx, input }) => ctx.services.files.search(ctx.scope, input)),
  text: repositoryProcedure.input(inputs.fileOfImage).query(({ ctx, input }) => ctx.services.files.text(ctx.scope, input)),
  packages: repositoryProcedure.input(inputs.imageFiles).query(({ ctx, input }) => ctx.services.files.packages(ctx.scope, input)),
  compare: repositoryProcedure.input(inputs.compareImages).query(async ({ ctx, input }) => {
    const other = input.other.repository
    // A scope of one repository reaches no other.
    const theirs = other === input.repository ? ctx.scope : await ctx.services.access.repositoryScope(ctx.actor, input.org, other)
    return ctx.services.files.compare(ctx.scope, input, theirs)
  }),
  whereUsed: orgProcedure.input(inputs.whereUsed).query(({ ctx, input }) => ctx.services.files.whereUsed(ctx.scope, input)),
})
