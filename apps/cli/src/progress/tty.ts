/** Live lines on a terminal: each step with its time, the running ones with what they printed last. */
import type { views } from '@slipway/contracts'
import { isBuildOver } from '@slipway/core'
import { type Palette, plain } from '../output'
import { type BuildProgress, elapsed, seconds } from './progress'

const REDRAW_MS = 100
/** Of a running step. */
const TAIL = 4
/** Of a failed one, when it is over. */
const FAILED_TAIL = 20
/** More than fit on most terminals cannot be drawn over. */
const MOST_LINES = 22

export class TtyProgress implements BuildProgress {
  readonly #write: (text: string) => void
  readonly #colors: Palette
  readonly #columns: number
  readonly #tails = new Map<number, string>()
  #build: views.BuildView | null = null
  #drawn = 0
  #timer: NodeJS.Timeout | undefined

  constructor(write: (text: string) => void, colors: Palette, columns: number) {
    this.#write = write
    this.#colors = colors
    this.#columns = Math.max(40, columns)
  }

  update(build: views.BuildView, logs: readonly views.LogChunkView[]): void {
    this.#build = build
    for (const { position, text } of logs)
      if (position !== null) this.#tails.set(position, `${this.#tails.get(position) ?? ''}${text}`.slice(-8192))
    this.#draw(false)
    this.#timer ??= setInterval(() => this.#draw(false), REDRAW_MS)
    this.#timer.unref()
  }

  end(): void {
    clearInterval(this.#timer)
    this.#draw(true)
    const failed = this.#build?.steps.find((step) => step.state === 'failed')
    if (!failed) return
    this.#write('------\n')
    this.#write(` > ${plain(failed.name)}:\n`)
    for (const line of this.#tail(failed.position, FAILED_TAIL)) this.#write(`${line}\n`)
    this.#write('------\n')
  }

  #tail(position: number, count: number): string[] {
    const lines = (this.#tails.get(position) ?? '').trimEnd().split('\n')
    return lines
      .slice(-count)
      .map(plain)
      .filter((line) => line !== '')
  }

  #draw(last: boolean): void {
    const build = this.#build
    if (!build) return
    const all = this.#lines(build, Date.now())
    const lines = last ? all : all.slice(0, 1).concat(all.slice(1).slice(-(MOST_LINES - 1)))
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    this.#write(`${up}\x1b[0J${lines.join('\n')}\n`)
    this.#drawn = last ? 0 : lines.length
  }

  #lines(build: views.BuildView, now: number): string[] {
    const colors = this.#colors
    const over = build.steps.filter((step) => step.state === 'done' || step.state === 'cached').length
    const took = build.durationMs ?? (build.startedAt ? now - build.startedAt.getTime() : 0)
    const state = isBuildOver(build.state) ? (build.state === 'succeeded' ? 'FINISHED' : build.state.toUpperCase()) : ''
    const waiting =
      build.state === 'queued' ? `queued${build.queuePosition ? `, ${build.queuePosition} before it` : ''}` : (build.phase ?? '')
    const lines = [`[+] Building ${seconds(Math.max(0, took))} (${over}/${build.steps.length}) ${state || waiting}`.trimEnd()]
    for (const step of build.steps) {
      if (step.state === 'pending' || step.state === 'skipped') continue
      const word = { cached: 'CACHED ', failed: 'ERROR ', canceled: 'CANCELED ', running: '', done: '' }[step.state]
      const time = seconds(elapsed(step, now))
      const room = this.#columns - time.length - 5
      const text = cut(`${word}${plain(step.name)}`, room)
      const paint = step.state === 'failed' ? colors.bad : step.state === 'running' ? (line: string) => line : colors.good
      lines.push(`${paint(` => ${text}`)}${' '.repeat(Math.max(1, room - [...text].length + 1))}${time}`)
      if (step.state === 'running')
        for (const line of this.#tail(step.position, TAIL)) lines.push(colors.dim(cut(` => => # ${line}`, this.#columns - 1)))
    }
    return lines
  }
}

const cut = (text: string, width: number): string => {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}
