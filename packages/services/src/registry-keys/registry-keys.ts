import type { views } from '@slipway/contracts'
import { AppError, isAppError } from '@slipway/core'
import { readSigningKeys, rotateSigningKey, type SigningKeys } from '@slipway/oci/node'
import { audit } from '../audit'
import type { Deps } from '../deps'
import { assertRunsHosts } from '../hosts/operator'
import type { Scope } from '../scope'
import type { RegistryKeysService } from './service'

export const createRegistryKeys = ({ db, config }: Pick<Deps, 'db' | 'config'>): RegistryKeysService => ({
  async list(scope: Scope) {
    await assertRunsHosts(db, scope)
    return viewOf(await readSigningKeys(config.secretsDir).catch(unusable))
  },

  async rotate(scope: Scope) {
    await assertRunsHosts(db, scope)
    const keys = await rotateSigningKey(config.secretsDir).catch(unusable)
    const kid = keys.verifying[0]?.kid ?? ''
    // After the deed: a file has no part in a transaction, and a key that changed untold is worse than one that was told in vain.
    await audit(db, scope, 'registry.rotateKeys', { type: 'registry', id: 'signing-key', label: 'registry' }, { kid })
    return viewOf(keys)
  },
})

const viewOf = ({ verifying }: SigningKeys): views.SigningKeysView => ({
  keys: verifying.map(({ kid, at, until }) => ({ kid, signs: until === null, at, until })),
})

/** Errors of the file system name paths of the host, which is for the log. */
function unusable(cause: unknown): never {
  if (isAppError(cause)) throw cause
  throw new AppError({
    kind: 'unavailable',
    code: 'SIGNING_KEY_UNUSABLE',
    message:
      'The signing key of the registry cannot be read or written. See whether the folder of secrets is there and writable, then try again.',
    cause,
  })
}
