import type { views } from '@slipway/contracts'
import type { Scope } from '../scope'

/** The keys that sign the registry's tokens are the installation's: for those who run it. */
export interface RegistryKeysService {
  list(scope: Scope): Promise<views.SigningKeysView>
  /** Another key signs from now on; tokens of the one before are good until they end. */
  rotate(scope: Scope): Promise<views.SigningKeysView>
}
