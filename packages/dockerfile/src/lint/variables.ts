/**
 * What planning tells without a network, over base images of which nothing is known: UndefinedVar and UndefinedArgInFrom, and values that
 * no instruction takes. What a base image may set is not told, unless the file itself says that something else was meant.
 */
import { DockerfileError, type DockerfileWarning } from '../errors'
import type { Dockerfile } from '../parser'
import { PlanContext, type UndefinedVariable } from '../plan/context'
import { baseReferences, planBuild, type ResolvedImage } from '../plan/plan'

const UNKNOWN: ResolvedImage = { digest: `sha256:${'0'.repeat(64)}`, config: {} }

const MOST = 200

/** Codes of what stays wrong whatever a base image or a build argument says, in a line without variables. */
const CERTAIN = new Set(['BAD_PORT', 'BAD_SIGNAL'])

export function tryPlan(dockerfile: Dockerfile): { variables: DockerfileWarning[]; fault: DockerfileError | null } {
  let fault: DockerfileError | null = null
  // Each once: FROM is expanded by who looks for base images, and again when it is planned.
  const found = new Map<string, UndefinedVariable>()
  const onUndefined = (variable: UndefinedVariable) => {
    if (found.size < MOST) found.set(`${variable.line} ${variable.name}`, variable)
  }
  let globals: ReadonlyMap<string, string> = new Map()
  try {
    globals = new PlanContext(dockerfile, {}).globals
    const resolved = new Map(baseReferences(dockerfile, { onUndefined }).map((reference) => [reference, UNKNOWN]))
    planBuild(dockerfile, { resolved, onUndefined })
  } catch (error) {
    // Often the name of an image that has no value without a build argument. The build tells it, with the arguments it is given.
    if (!(error instanceof DockerfileError)) throw error
    if (CERTAIN.has(error.code) && !lineOf(dockerfile, error.line).includes('$')) fault = error
  }
  const bases = basesOf(dockerfile)
  const variables = [...found.values()].filter(({ name, rule, line, misspelt }) => {
    const base = bases.findLast((one) => one.line <= line)?.text ?? 'scratch'
    if (rule === 'UndefinedArgInFrom' || base.toLowerCase() === 'scratch') return true
    // `$1` and `$$` are the shell's. An ARG before FROM is not there, unless it only names the image that has the same variable.
    return misspelt || !/^[A-Za-z_]/.test(name) || (globals.has(name) && !base.includes(name))
  })
  return { variables, fault }
}

const lineOf = ({ stages }: Dockerfile, line: number | null): string =>
  stages.flatMap((stage) => stage.instructions).find(({ range }) => line !== null && range.start.line <= line && line <= range.end.line)
    ?.original ?? ''

/** Where each stage begins, and the image that it is made of in the end, as written. */
function basesOf({ stages }: Dockerfile): { line: number; text: string }[] {
  const byName = new Map<string, string>()
  return stages.map(({ from }) => {
    const text = byName.get(from.image.text.toLowerCase()) ?? from.image.text
    if (from.name !== null) byName.set(from.name, text)
    return { line: from.range.start.line, text }
  })
}
