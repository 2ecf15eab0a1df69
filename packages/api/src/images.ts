import { inputs } from '@slipway/contracts'
import { orgProcedure, router } from './trpc'

export const imagesRouter = router({
  repositories: orgProcedure.input(inputs.listRepositories).query(({ ctx, input }) => ctx.services.images.repositories(ctx.scope, input)),
  repository: orgProcedure.input(inputs.repository).query(({ ctx, input }) => ctx.services.images.repository(ctx.scope, input)),
  tags: orgProcedure.input(inputs.listTags).query(({ ctx, input }) => ctx.services.images.tags(ctx.scope, input)),
  get: orgProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.get(ctx.scope, input)),
  sbom: orgProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.sbom(ctx.scope, input)),
  provenance: orgProcedure.input(inputs.image).query(({ ctx, input }) => ctx.services.images.provenance(ctx.scope, input)),
  attestation: orgProcedure.input(inputs.attestation).query(({ ctx, input }) => ctx.services.images.attestation(ctx.scope, input)),
  delete: orgProcedure.input(inputs.deleteImage).mutation(({ ctx, input }) => ctx.services.images.delete(ctx.scope, input)),
})
