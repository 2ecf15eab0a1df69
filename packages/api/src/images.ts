import { inputs } from '@slipway/contracts'
import { orgProcedure, repositoryProcedure, router } from './trpc'

export const imagesRouter = router({
  repositories: orgProcedure.input(inputs.listRepositories).query(({ ctx, input }) => ctx.services.images.repositories(ctx.scope, input)),
  repository: repositoryProcedure.input(inputs.repository).query(({ ctx, input }) => ctx.services.images.repository(ctx.scope, input)),
  tags: repositoryProcedure.input(inputs.listTags).query(({ ctx, input }) => ctx.services.images.tags(ctx.scope, input)),
  history: repositoryProcedure.input(inputs.tagHistory).query(({ ctx, input }) => ctx.services.images.history(ctx.scope, input)),
  untagged: repositoryProcedure.input(inputs.listUntagged).query(({ ctx, input }) => ctx.services.images.untagged(ctx.scope, input)),
  pointTag: repositoryProcedure.input(inputs.pointTag).mutation(({ ctx, input }) => ctx.services.images.pointTag(ctx.scope, input)),
  get: repositoryProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.get(ctx.scope, input)),
  sbom: repositoryProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.sbom(ctx.scope, input)),
  provenance: repositoryProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.provenance(ctx.scope, input)),
  attached: repositoryProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.attached(ctx.scope, input)),
  attestation: repositoryProcedure.input(inputs.attestation).query(({ ctx, input }) => ctx.services.images.attestation(ctx.scope, input)),
  delete: repositoryProcedure.input(inputs.deleteImage).mutation(({ ctx, input }) => ctx.services.images.delete(ctx.scope, input)),
})
