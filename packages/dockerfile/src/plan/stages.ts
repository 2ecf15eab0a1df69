/** Which stages exist, what each is based on and copies from, and which of them the target needs. */

import { expand } from '../expand'
import type { MountFlag } from '../instructions/mount'
import type { CopyInstruction, Place, Stage, StageInstruction } from '../instructions/types'
import { parseTrigger } from '../parser'
import { didYouMean } from '../suggest'
import type { Word } from '../words'
import { baseKey } from './base-key'
import { keepsGitDir } from './buildkit-args'
import type { PlanContext } from './context'
import { type ContextSource, gitContext } from './named-contexts'
import { type Platform, parsePlatform } from './platform'
import { GitSourceError } from './remote'

/** Where files come from: an earlier stage, an image, nothing, or what the client sends. */
export type Origin =
  | { kind: 'stage'; stage: PlannedStage }
  /** `key`: as `baseReferences` names it. */
  | { kind: 'image'; key: string; reference: string; place: Place; word: Word }
  | { kind: 'scratch' }
  | { kind: 'context'; source: ContextSource }

export interface PlannedStage {
  stage: Stage
  base: Origin
  /** Of its base: what its RUN steps need. */
  platform: Platform
  /** A named context stands for all of it: `base`, and none of its instructions. */
  replaced: boolean
  /** The base's ONBUILD triggers, then the stage's own. */
  instructions: StageInstruction[]
  /** Of COPY --from and RUN --mount=from; what reads the context is not in it. */
  copies: Map<CopyInstruction | MountFlag, Origin>
  /** Name, or the index as text. */
  id: string
}

export interface StageGraph {
  /** In the file's order; inputs come before their users. */
  needed: PlannedStage[]
  target: PlannedStage
  /** Whether vertex names carry the stage: false when there is nothing to tell apart. */
  named: boolean
}

export function stageGraph(context: PlanContext): StageGraph {
  const stages: PlannedStage[] = []
  const byName = new Map<string, PlannedStage>()
  let sources = 0
  for (const stage of context.dockerfile.stages) {
    const platform = platformOf(context, stage)
    const named = stage.from.name === null ? null : namedOrigin(context, stage.from.name, platform, stage.from, stage.from.image)
    const base = named ?? baseOf(context, stage, platform, byName)
    const planned: PlannedStage = {
      stage,
      base,
      platform: base.kind === 'stage' ? base.stage.platform : platform,
      replaced: named !== null,
      instructions: named ? [] : [...triggersOf(context, base, stage), ...stage.instructions],
      copies: new Map(),
      id: stage.from.name ?? String(stage.index),
    }
    for (const instruction of planned.instructions) {
      for (const reader of readers(instruction)) {
        if (!reader.from || reader.from.text === '') continue
        const origin = copyOrigin(context, instruction, reader.from, stages, byName, stage)
        if (origin.kind !== 'stage') sources++
        planned.copies.set(reader, origin)
      }
    }
    stages.push(planned)
    if (stage.from.name !== null) byName.set(stage.from.name, planned)
  }
  const target = findTarget(context, stages, byName)
  return { needed: reachable(target), target, named: stages.length + sources > 1 }
}

/** What may read from another stage or image. */
function readers(instruction: StageInstruction): (CopyInstruction | MountFlag)[] {
  if (instruction.kind === 'RUN') return instruction.mounts
  return instruction.kind === 'COPY' || instruction.kind === 'ADD' ? [instruction] : []
}

/** What ONBUILD of the base asks for. Of an image that is not resolved yet: nothing, it is asked again when it is. */
function triggersOf(context: PlanContext, base: Origin, stage: Stage): StageInstruction[] {
  if (base.kind === 'scratch' || base.kind === 'context') return []
  const [name, triggers] =
    base.kind === 'image'
      ? [base.reference, context.triggersOf(base.key)]
      : [base.stage.id, base.stage.stage.instructions.flatMap((one) => (one.kind === 'ONBUILD' ? [one.trigger] : []))]
  const { range } = stage.from
  return triggers.flatMap((text) => parseTrigger(text, `ONBUILD of ${name}`)).map((one) => ({ ...one, range }))
}

function baseOf(context: PlanContext, stage: Stage, platform: Platform, byName: Map<string, PlannedStage>): Origin {
  const { from } = stage
  const reference = context.expand(from, from.image, context.globalLookup).text
  if (reference === '') {
    const declared = [...context.globals.keys()]
    throw context.fail(
      'EMPTY_BASE',
      `The base image of FROM ${from.image.text.slice(0, 80)} is empty.`,
      from,
      from.image.offset,
      emptyHint(context, from.image.text, declared),
    )
  }
  const earlier = byName.get(reference.toLowerCase())
  if (earlier) return stageOrigin(earlier)
  return namedOrigin(context, reference, platform, from, from.image) ?? imageOrigin(context, reference, platform, from, from.image)
}

/** As FROM --platform says, or the target's. */
function platformOf(context: PlanContext, { from }: Stage): Platform {
  if (!from.platform) return context.platform
  const text = context.expand(from, from.platform, context.globalLookup).text
  const platform = parsePlatform(text, context.platform)
  if (platform) return platform
  throw context.fail('BAD_PLATFORM', `"${text.slice(0, 60)}" is no Linux platform.`, from, from.platform.offset, 'Write linux/amd64.')
}

const stageOrigin = (stage: PlannedStage): Origin => (stage.replaced ? stage.base : { kind: 'stage', stage })

/** The named context of that name; null when there is none, and for scratch, which is never another thing. */
function namedOrigin(context: PlanContext, name: string, platform: Platform, place: Place, word: Word): Origin | null {
  const named = name.toLowerCase() === 'scratch' ? undefined : context.contexts.find(name)
  if (!named) return null
  const { context: given } = named
  if (given.kind === 'image') return imageOrigin(context, given.reference, platform, place, word)
  if (given.kind === 'local') return { kind: 'context', source: { kind: 'named', name: named.name } }
  try {
    const source = gitContext(given.url, keepsGitDir(context))
    if (source) return { kind: 'context', source }
  } catch (error) {
    if (!(error instanceof GitSourceError)) throw error
    throw context.fail('BAD_NAMED_CONTEXT', `The context ${named.name.slice(0, 80)}: ${error.message}`, place, word.offset)
  }
  throw context.fail(
    'BAD_NAMED_CONTEXT',
    `The context ${named.name.slice(0, 80)} is no address of a Git repository.`,
    place,
    word.offset,
    'Write https://host/path.git, maybe with #branch:folder behind it.',
  )
}

function emptyHint(context: PlanContext, text: string, declared: string[]): string {
  const name = /\$\{?([A-Za-z_][A-Za-z0-9_]*)/.exec(text)?.[1]
  if (name === undefined) return 'Name an image.'
  if (!context.declared.has(name)) {
    return didYouMean(name, declared, (s) => `$${s}`) ?? `Declare ARG ${name}=<default> before the first FROM.`
  }
  return `Give ARG ${name} a default, or pass the build argument ${name}.`
}

function imageOrigin(context: PlanContext, reference: string, platform: Platform, place: Place, word: Word): Origin {
  if (reference.toLowerCase() === 'scratch') return { kind: 'scratch' }
  checkReference(context, reference, place, word)
  return { kind: 'image', key: baseKey(reference, platform, context.buildPlatform), reference, place, word }
}

/** What no registry could ever resolve is told here, with the line. */
function checkReference(context: PlanContext, reference: string, place: Place, word: Word): void {
  const bad = (hint?: string) =>
    context.fail('BAD_IMAGE_REFERENCE', `"${reference.slice(0, 120)}" is no image name.`, place, word.offset, hint)
  if (reference.length > 512 || !/^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$/.test(reference)) throw bad('Write [host/]name[:tag][@digest].')
  const [name = '', digest, ...more] = reference.split('@')
  if (more.length > 0 || (digest !== undefined && !/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/.test(digest)))
    throw bad('A digest is sha256: and 64 hex digits.')
  const parts = name.split('/')
  const last = parts.at(-1) ?? ''
  const colon = last.indexOf(':')
  const path = [...parts.slice(0, -1), colon === -1 ? last : last.slice(0, colon)]
  const first = path[0] ?? ''
  if (path.length > 1 && (/[.:]/.test(first) || first === 'localhost')) path.shift()
  if (path.some((part) => /[A-Z]/.test(part))) throw bad('Image names are lower case.')
  if (path.some((part) => !/^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/.test(part))) throw bad('Write [host/]name[:tag][@digest].')
  if (colon !== -1 && !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(last.slice(colon + 1)))
    throw bad('A tag holds letters, digits, _ . and - only.')
}

function copyOrigin(
  context: PlanContext,
  place: Place,
  from: Word,
  stages: PlannedStage[],
  byName: Map<string, PlannedStage>,
  current: Stage,
): Origin {
  const text = from.text
  if (text.includes('$')) {
    let expanded = ''
    try {
      expanded = expand(text, () => '', context.dockerfile.directives.escape).text
    } catch {
      expanded = ''
    }
    if (expanded !== text) {
      throw context.fail(
        'FROM_FLAG_NOT_EXPANDED',
        'Docker does not expand variables in --from.',
        place,
        from.offset,
        'Add a stage FROM $VARIABLE AS name and copy from that name.',
      )
    }
  }
  if (/^\d+$/.test(text)) {
    const stage = stages[Number(text)]
    if (!stage) {
      const exists = Number(text) < context.dockerfile.stages.length
      throw context.fail(
        'STAGE_NOT_FOUND',
        exists ? `--from=${text} must name an earlier stage.` : `There is no stage ${text.slice(0, 20)}.`,
        place,
        from.offset,
      )
    }
    return stageOrigin(stage)
  }
  const name = text.toLowerCase()
  const earlier = byName.get(name)
  if (earlier) return stageOrigin(earlier)
  const named = namedOrigin(context, text, context.platform, place, from)
  if (named) return named
  if (current.from.name === name || context.dockerfile.stages.some((stage) => stage.from.name === name)) {
    throw context.fail('STAGE_NOT_FOUND', `Stage "${name}" must come before the stage that copies from it.`, place, from.offset)
  }
  return imageOrigin(context, text, context.platform, place, from)
}

function findTarget(context: PlanContext, stages: PlannedStage[], byName: Map<string, PlannedStage>): PlannedStage {
  const { target } = context
  const found =
    target === '' ? stages.at(-1) : (byName.get(target.toLowerCase()) ?? (/^\d{1,5}$/.test(target) ? stages[Number(target)] : undefined))
  if (found) return found
  throw context.dockerfile.source.error('TARGET_NOT_FOUND', `There is no stage named "${target.slice(0, 60)}".`, undefined, {
    hint: didYouMean(target, byName.keys()),
  })
}

/** The target and all it is made of, in the file's order. Iterative: a chain of thousands of stages must not end the stack. */
function reachable(target: PlannedStage): PlannedStage[] {
  const seen = new Set<PlannedStage>()
  const open = [target]
  for (let next = open.pop(); next; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    for (const origin of [next.base, ...next.copies.values()]) if (origin.kind === 'stage') open.push(origin.stage)
  }
  return [...seen].sort((a, b) => a.stage.index - b.stage.index)
}
