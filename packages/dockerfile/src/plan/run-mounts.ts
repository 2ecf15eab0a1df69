/** The --mount flags of a RUN, with everything that depends on the stage: variables, working directory, vertices. */
import type { BuildOp } from '@slipway/contracts'
import { type Fail, type MountFlag, type MountSpec, readMount } from '../instructions/mount'
import type { RunInstruction } from '../instructions/types'
import type { Word } from '../words'
import { cacheMountId } from './buildkit-args'
import type { ImageState } from './image-state'
import { absolutePath, cleanPath, copySource } from './paths'
import type { StagePlannerInit } from './stage-planner'

export type RunMount = NonNullable<Extract<BuildOp, { type: 'exec' }>['mounts']>[number]

/** Where nothing but the engine's own may be: a mount there would hide what confines the step. */
const TAKEN = /^\/(?:proc|sys)(?:\/|$)|^\/(?:dev)?$/

export function runMounts(
  init: StagePlannerInit,
  state: ImageState,
  instruction: RunInstruction,
  expand: (word: Word) => string,
): RunMount[] {
  const agents: MountFlag[] = []
  return instruction.mounts.map((flag) => {
    const fail: Fail = (code, message, offset, hint) => init.context.fail(code, message, instruction, offset, hint)
    const spec = readMount(flag, expand, fail)
    if (spec.type === 'ssh') agents.push(flag)
    const target = targetOf(spec, agents.length - 1)
    const at = target === null ? null : absolutePath(state.workdir, target)
    if (at !== null && TAKEN.test(at)) throw fail('BAD_MOUNT', `Nothing can be mounted at ${at.slice(0, 80)}.`, flag.offset)
    const origin = init.stage.copies.get(flag)
    return mount(spec, at, origin ? init.vertexOf(origin, instruction) : null, (id) => cacheMountId(init.context, id))
  })
}

function mount(spec: MountSpec, at: string | null, from: string | null, cacheId: (id: string) => string): RunMount {
  const target = at ?? ''
  const source = copySource(spec.source ?? '/')
  const owner = { uid: spec.uid, gid: spec.gid }
  const { required } = spec
  switch (spec.type) {
    case 'bind':
      return { type: 'bind', target, from, source, ...(spec.readonly === false && { write: true as const }) }
    case 'tmpfs':
      return { type: 'tmpfs', target, ...(spec.size !== null && { size: spec.size }) }
    case 'cache': {
      const id = cacheId(spec.id ?? cleanPath(spec.target ?? ''))
      const cache = { target, id, sharing: spec.sharing, from, source, mode: spec.mode ?? 0o755, ...owner }
      return { type: 'cache', ...cache, ...(spec.readonly && { readonly: true as const }) }
    }
    case 'secret':
      return { type: 'secret', id: secretId(spec), target: at, env: spec.env, required, mode: spec.mode ?? 0o400, ...owner }
    case 'ssh':
      return { type: 'ssh', id: spec.id ?? 'default', target, required, mode: spec.mode ?? 0o600, ...owner }
  }
}

/** As written, or where Docker puts what has none: nowhere, for a secret that is a variable only. */
function targetOf(spec: MountSpec, agent: number): string | null {
  if (spec.target !== null) return spec.target
  if (spec.type === 'ssh') return `/run/buildkit/ssh_agent.${agent}`
  return spec.env === null ? `/run/secrets/${nameOf(secretId(spec))}` : null
}

const secretId = (spec: MountSpec) => spec.source ?? spec.id ?? nameOf(spec.target ?? '')
const nameOf = (path: string) => cleanPath(path).split('/').at(-1) || 'secret'
