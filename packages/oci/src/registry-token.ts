/**
 * Signs the bearer tokens of our own registry (Docker token authentication). The registry signs for people, the worker
 * for itself and the agent, all with `<secrets>/registry-token.pem`. The shape is `registryToken` of @slipway/contracts;
 * that package is not imported here (core ← oci), the registry's tests parse one with the other.
 */
import { calculateJwkThumbprint, exportJWK, importPKCS8, SignJWT } from 'jose'

const ISSUER = 'slipway'
const SERVICE = 'slipway'
/** Longer would outlive a revoked membership too long; a push renews its token by itself. */
const MAX_TTL_SECONDS = 3600

export interface TokenAccess {
  type: 'repository' | 'registry' | 'image'
  /** `<organization slug>/<repository>`; `catalog` for type registry. */
  name: string
  actions: ('pull' | 'push' | 'delete' | '*')[]
  /** Of type image: the one that may be pulled, with what it is made of. */
  digest?: string
}

export interface TokenRequest {
  /** User id, `robot:<id>`, `share:<id>`, `system:<who>`, or empty for nobody (anonymous pull of public images). */
  sub: string
  /** The login was limited to this organization. */
  org?: string
  access: TokenAccess[]
  ttlSeconds: number
}

let imported: { pem: string; key: ReturnType<typeof importKey> } | undefined

/** With its id for those who look it up in our key set; we ourselves look at no `kid`. */
async function importKey(pem: string) {
  const key = await importPKCS8(pem, 'EdDSA', { extractable: true })
  return { key, kid: await calculateJwkThumbprint(await exportJWK(key)) }
}

/** A compact EdDSA JWT. `pem` is the PKCS8 text of an Ed25519 private key; throws when it is not one. */
export async function signRegistryToken({ sub, org, access, ttlSeconds }: TokenRequest, pem: string): Promise<string> {
  if (imported?.pem !== pem) imported = { pem, key: importKey(pem) }
  const { key, kid } = await imported.key
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ access, ...(org !== undefined && { org }) })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid })
    .setIssuer(ISSUER)
    .setAudience(SERVICE)
    .setSubject(sub)
    .setIssuedAt(now)
    .setExpirationTime(now + Math.min(Math.max(1, Math.floor(ttlSeconds)), MAX_TTL_SECONDS))
    .setJti(crypto.randomUUID())
    .sign(key)
}
