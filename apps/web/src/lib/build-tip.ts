import type { views } from '@slipway/contracts'

export interface BuildTip {
  /** What to copy first; null: nothing has to be copied for this command. */
  manifests: string[] | null
  /** The command that ran again for nothing, and how long it took. */
  step: Pick<views.BuildStepView, 'position' | 'stage' | 'instruction'>
  savedMs: number
}

type Step = Pick<views.BuildStepView, 'position' | 'stage' | 'instruction' | 'state' | 'missReason' | 'missDetail' | 'durationMs'>

/** Commands that install what a few files name, and those files; `null` needs no file of the context at all. */
const INSTALLERS: [RegExp, string[] | null][] = [
  [/\bnpm (?:ci|install|i)\b/, ['package.json', 'package-lock.json']],
  [/\bpnpm (?:install|i)\b/, ['package.json', 'pnpm-lock.yaml']],
  [/\byarn(?: install)?(?:\s|$)/, ['package.json', 'yarn.lock']],
  [/\bpip3? install\b.*\s-r\s/, ['requirements.txt']],
  [/\bbundle install\b/, ['Gemfile', 'Gemfile.lock']],
  [/\bgo mod download\b/, ['go.mod', 'go.sum']],
  [/\b(?:apt-get|apt|apk|dnf|yum) (?:-\S+ )*(?:install|add)\b/, null],
]
const WORTH_MS = 500

/**
 * The one change of the Dockerfile that would have saved most in this build: a command that installs what some files name ran
 * again only because a COPY before it brought other files that had changed. Null when no step is surely like that.
 */
export function buildTip(steps: Step[]): BuildTip | null {
  let best: BuildTip | null = null
  for (const step of steps) {
    const savedMs = step.durationMs ?? 0
    if (step.state !== 'done' || step.missReason !== 'input-changed' || savedMs < WORTH_MS || savedMs <= (best?.savedMs ?? 0)) continue
    const installer = /^RUN\s/i.test(step.instruction) ? INSTALLERS.find(([pattern]) => pattern.test(step.instruction)) : undefined
    if (!installer) continue
    const [, manifests] = installer
    if (onlyOthersChanged(steps, step, manifests)) best = { manifests, step, savedMs }
  }
  return best
}

/** The first step of the stage that ran again is a COPY whose changed files are known, and none of them is a manifest. */
function onlyOthersChanged(steps: Step[], step: Step, manifests: string[] | null): boolean {
  const before = steps.filter((s) => s.stage === step.stage && s.position < step.position && s.state === 'done')
  const [first, ...others] = before
  if (first?.missReason !== 'files-changed' || !first.missDetail || !/^(?:COPY|ADD)\s/i.test(first.instruction)) return false
  if (others.some((s) => s.missReason !== 'input-changed')) return false
  const detail = first.missDetail
  // A list that was cut, or that names no files, proves nothing.
  if (detail.includes('…') || !/\bfiles? (?:changed|added|removed):/.test(detail)) return false
  return !(manifests ?? []).some((name) => detail.split(/[\s,;]+/).some((file) => file.split('/').at(-1) === name))
}
