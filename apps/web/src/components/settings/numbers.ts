/** Numbers of settings as people write them: `per` is how many stored units make one shown (bytes of a megabyte, seconds of a minute). */
import { numberOrNull } from '@/components/new-app/form-parts'

export const MEGABYTE = 1_000_000

/** To one decimal place; nothing set is an empty input. */
export const shown = (stored: number | null, per: number) => (stored === null ? '' : String(Math.round((stored / per) * 10) / 10))

/** null for an empty input; NaN, which every schema refuses, for what is no number. */
export const scaled = (input: string, per: number) => {
  const number = numberOrNull(input)
  return number === null ? null : Math.round(number * per)
}
