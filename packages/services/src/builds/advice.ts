import type { views } from '@slipway/contracts'

export type AdviceStep = Pick<
  views.BuildStepView,
  'position' | 'stage' | 'platform' | 'instruction' | 'state' | 'missReason' | 'missDetail' | 'durationMs'
>

/** Commands that install what a few files name, and those files; `null` needs no file of the context at all. */
const INSTALLERS: [RegExp, string[] | null][] = [
  [/\bnpm (?:ci|install|i)\b/, ['package.json', 'package-lock.json']],
  [/\bpnpm (?:install|i)\b/, ['package.json', 'pnpm-lock.yaml']],
  [/\byarn(?: install)?(?:\s|$)/, ['package.json', 'yarn.lock']],
  [/\bpip3? install\b.*\s-r\s/, ['requirements.txt']],
  [/\bbundle install\b/, ['Gemfile', 'Gemfile.lock']],
  [/\bcomposer install\b/, ['composer.json', 'composer.lock']],
  [/\bpoetry install\b/, ['pyproject.toml', 'poetry.lock']],
  [/\bgo mod download\b/, ['go.mod', 'go.sum']],
  [/\bcargo fetch\b/, ['Cargo.toml', 'Cargo.lock']],
  [/\b(?:apt-get|apt|apk|dnf|yum) (?:-\S+ )*(?:install|add)\b/, null],
]
const WORTH_MS = 500

/**
 * The one change of the Dockerfile that would have saved most in these builds, newest first: a command that installs what some
 * files name ran again only because a COPY before it brought other files that had changed. Null when no step is surely like that.
 */
export function adviceOf(builds: { steps: AdviceStep[] }[]): views.BuildAdvice | null {
  const found = new Map<string, views.BuildAdvice>()
  for (const { steps } of builds) {
    for (const { step, manifests } of wasted(steps)) {
      const key = `${step.stage}\n${step.instruction}`
      const known = found.get(key) ?? {
        stage: step.stage,
        instruction: step.instruction,
        position: null,
        manifests,
        savedMs: 0,
        builds: 0,
        of: 0,
      }
      found.set(key, { ...known, savedMs: known.savedMs + (step.durationMs ?? 0), builds: known.builds + 1 })
    }
  }
  const best = [...found.values()].filter((a) => a.savedMs >= WORTH_MS).sort((a, b) => b.savedMs - a.savedMs)[0]
  if (!best) return null
  const here = builds[0]?.steps.find((s) => s.stage === best.stage && s.instruction === best.instruction)
  // What is no longer in the Dockerfile, or follows its own advice by now, needs no more words.
  return here ? { ...best, position: here.position, of: builds.length } : null
}

function wasted(steps: AdviceStep[]): { step: AdviceStep; manifests: string[] | null }[] {
  return steps.flatMap((step) => {
    if (step.state !== 'done' || step.missReason !== 'input-changed' || !/^RUN\s/i.test(step.instruction)) return []
    const installer = INSTALLERS.find(([pattern]) => pattern.test(step.instruction))
    return installer && onlyOthersChanged(steps, step, installer[1]) ? [{ step, manifests: installer[1] }] : []
  })
}

/** The first step of the stage that ran again is a COPY whose changed files are known, and none of them is a manifest. */
function onlyOthersChanged(steps: AdviceStep[], step: AdviceStep, manifests: string[] | null): boolean {
  const before = steps.filter(
    (s) => s.stage === step.stage && s.platform === step.platform && s.position < step.position && s.state === 'done',
  )
  const [first, ...others] = before
  if (first?.missReason !== 'files-changed' || !first.missDetail || !/^(?:COPY|ADD)\s/i.test(first.instruction)) return false
  if (others.some((s) => s.missReason !== 'input-changed')) return false
  const detail = first.missDetail
  // A list that was cut, or that names no files, proves nothing.
  if (detail.includes('…') || !/\bfiles? (?:changed|added|removed):/.test(detail)) return false
  return !(manifests ?? []).some((name) => detail.split(/[\s,;]+/).some((file) => file.split('/').at(-1) === name))
}
