import type { InspectionState } from '@slipway/core'
import type { InspectionResult } from '../dockerfiles'
import type { ErrorView } from './common'

/** A look at a repository; gone an hour after it was begun. */
export interface InspectionView {
  id: string
  state: InspectionState
  gitUrl: string
  gitBranch: string
  /** The newest line of what it does. */
  progress: string | null
  result: InspectionResult | null
  error: ErrorView | null
  createdAt: Date
}
