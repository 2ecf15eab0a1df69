import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

export interface StorageService {
  get(scope: Scope): Promise<views.StorageView>
  repositories(scope: Scope, input: Of<typeof inputs.storageRepositories>): Promise<views.Page<views.StorageRepositoryView>>
  /** What the collector would take, and when; nothing is removed. */
  collectable(scope: Scope): Promise<views.CollectablesView>
  /** These are for those who run the installation. */
  installation(scope: Scope): Promise<views.InstallationStorageView>
  verify(scope: Scope, input: Of<typeof inputs.startVerification>): Promise<views.VerificationView>
  verification(scope: Scope, input: Of<typeof inputs.verification>): Promise<views.VerificationView>
  cancelVerification(scope: Scope, input: Of<typeof inputs.verification>): Promise<views.VerificationView>
}
