/**
 * Docker token authentication (distribution-spec "Token Authentication"): the registry answers 401 with
 * `Bearer realm="<registry>/token",service="slipway"`, the client fetches a token there with Basic credentials
 * (e-mail + password, or anything + API key, robot secret or share token), and sends it back. Tokens are EdDSA JWTs signed
 * with `<secrets>/registry-token.pem`, valid for five minutes; worker and agent get theirs from the same function.
 */
import * as z from 'zod'

export const REGISTRY_SERVICE = 'slipway'
export const registryAccess = z.object({
  /**
   * `image`: one image of the repository and what it is made of, nothing else in it. A type of its own, so that whoever
   * looks for access to the repository never takes it for that.
   */
  type: z.enum(['repository', 'registry', 'image']),
  /** `<organization slug>/<repository>` */
  name: z.string(),
  actions: z.array(z.enum(['pull', 'push', 'delete', '*'])),
  /** Of type `image`: which one. */
  digest: z.string().optional(),
})
export const registryToken = z.object({
  iss: z.literal('slipway'),
  aud: z.literal(REGISTRY_SERVICE),
  /** User id, `robot:<id>`, `share:<id>`, `system:<who>` (`system:worker`), or empty: nobody. */
  sub: z.string(),
  /** Slug of the organization that the login was limited to (an API key of one organization). */
  org: z.string().optional(),
  exp: z.number(),
  iat: z.number(),
  jti: z.string(),
  access: z.array(registryAccess),
})
export type RegistryAccess = z.infer<typeof registryAccess>
export type RegistryToken = z.infer<typeof registryToken>

/** How this installation's own registry is named in references, whatever its address (design: names of images). */
export const OWN_REGISTRY_HOST = 'slipway.local'

/** Tag of an app's build cache in the app's own repository. What builds leave there is no image, and lists of images leave it out. */
export const BUILD_CACHE_TAG = 'slipway-build-cache'
/** Organization slug that owns the base images made by infra/base-images; readable by every organization. */
export const BASE_ORGANIZATION = 'base'
