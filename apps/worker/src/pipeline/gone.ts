/** A deployment whose image is no longer in our registry: said as that, instead of as an image of an unknown name. */
import { OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError, isAppError, shortDigest } from '@slipway/core'
import { type Db, type DeploymentRunRow, manifestsByDigest } from '@slipway/db'

type Deployed = Pick<DeploymentRunRow, 'imageReference' | 'imageDigest' | 'kind' | 'organizationId'> & {
  app: { organization: { slug: string } }
}

/** `error`: of a pull. What is in the registry all the same, and images of others, keep the error that they came with. */
export async function goneOrAs(db: Db, deployment: Deployed, error: unknown): Promise<unknown> {
  const { imageDigest, imageReference, organizationId, app } = deployment
  const ours = imageReference.startsWith(`${OWN_REGISTRY_HOST}/${app.organization.slug}/`)
  if (!imageDigest || !ours || !isAppError(error) || error.code !== 'IMAGE_NOT_FOUND') return error
  if ((await manifestsByDigest(db, organizationId, [imageDigest])).length > 0) return error
  return new AppError({
    kind: 'conflict',
    code: 'IMAGE_GONE',
    message: goneSentence(imageDigest, deployment.kind),
    details: { digest: imageDigest },
    cause: error,
  })
}

export const goneSentence = (digest: string, kind: Deployed['kind']): string =>
  `The image ${shortDigest(digest)} is no longer in the registry: it was deleted, by somebody or by retention, and the host has no copy. ${
    kind === 'rollback' ? 'Roll back to another deployment, or build its commit again.' : 'Build it again, or deploy another image.'
  }`
