/** Collects the plan's vertices: ids, names as people see them, limits. */
import type { BuildOp, BuildVertex } from '@slipway/contracts'
import type { Place } from '../instructions/types'
import { LIMITS } from '../limits'
import type { PlanContext } from './context'
import { maskCredentials } from './urls'

const cut = (text: string, max: number) => (text.length > max ? `${text.slice(0, max - 1)}…` : text)
/** Name and history are one line. */
const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim()

/** Cuts for pages. */
export const shownText = (text: string) => cut(text, LIMITS.instructionLength)

export class Vertices {
  readonly list: BuildVertex[] = []
  readonly #context: PlanContext

  constructor(context: PlanContext) {
    this.#context = context
  }

  add(place: Place, stage: string, prefix: string, text: string, op: BuildOp): string {
    if (this.list.length >= LIMITS.vertices) {
      throw this.#context.fail('TOO_MANY_STEPS', `The build has more than ${LIMITS.vertices} steps. Join RUN commands with &&.`, place)
    }
    const id = `v${this.list.length}`
    const shown = place.keyword === 'ADD' ? maskCredentials : (written: string) => written
    this.list.push({
      id,
      name: cut(`${prefix}${shown(oneLine(text))}`, LIMITS.nameLength),
      stage,
      instruction: shownText(shown(oneLine(place.original))),
      line: place.range.start.line,
      endLine: place.range.end.line,
      op,
    })
    return id
  }
}

/** `[build  2/10] `: numbers the steps of one stage, as BuildKit does. */
export class StepCounter {
  readonly #label: string
  readonly #total: number
  #next = 1

  constructor(label: string, total: number) {
    this.#label = label
    this.#total = total
  }

  prefix(): string {
    const width = String(this.#total).length
    return `[${this.#label ? `${this.#label} ` : ''}${String(this.#next++).padStart(width)}/${this.#total}] `
  }
}
