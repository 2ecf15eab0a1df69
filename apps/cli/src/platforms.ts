/** `--platform`, checked; a file of its own because the schemas of all inputs come with it, which no other build needs. */
import { inputs } from '@slipway/contracts'
import { usage } from './errors'

export function checkPlatforms(list: string[]): void {
  const checked = inputs.platforms.safeParse(list)
  if (!checked.success) throw usage(`--platform: ${checked.error.issues[0]?.message}`, 'Write --platform linux/amd64,linux/arm64.')
}
