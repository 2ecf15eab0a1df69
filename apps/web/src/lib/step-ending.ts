import type { views } from '@slipway/contracts'

/** Why a step failed in two or three words: `Out of memory`, `Exit code 2`; null when neither is known. */
export const endingOf = (error: views.ErrorView | null, { exitCode }: Pick<views.BuildStepView, 'exitCode'>): string | null =>
  error?.code === 'OUT_OF_MEMORY' ? 'Out of memory' : exitCode === null ? null : `Exit code ${exitCode}`

/** Why a build failed, in one line: of a step only which and how, since its whole instruction is on the build's page. */
export function shortErrorOf(error: views.ErrorView | null): string | null {
  const { step, exitCode } = error?.details ?? {}
  if (!error || step === undefined) return error?.message ?? null
  if (error.code === 'OUT_OF_MEMORY') return `Step ${step} ran out of memory`
  return error.code === 'EXEC_FAILED' && exitCode !== undefined ? `Step ${step} ended with exit code ${exitCode}` : error.message
}
