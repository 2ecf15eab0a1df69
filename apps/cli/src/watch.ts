/** Follows a build and the deployment it leads to until both are over, and tells what happens on stderr. */
import type { views } from '@slipway/contracts'
import { formatDuration, isBuildOver, isDeploymentSettled } from '@slipway/core'
import { follow } from './client'
import { CliError, EXIT } from './errors'
import { plain } from './output'
import type { BuildProgress } from './progress/progress'
import type { Session } from './session'
import { errorText, paintState } from './text'

export interface Outcome {
  build: views.BuildView | null
  deployment: views.DeploymentView | null
}

interface Target {
  org: string
  app: string
}

/** Ends the wait of a command; tells interruption and deadline apart. */
export class Deadline {
  readonly signal: AbortSignal
  readonly #timeout: AbortSignal
  readonly #minutes: number
  constructor(minutes: number, interrupted: AbortSignal) {
    this.#minutes = minutes
    this.#timeout = AbortSignal.timeout(minutes * 60_000)
    this.signal = AbortSignal.any([this.#timeout, interrupted])
  }

  check(what: string): void {
    if (!this.signal.aborted) return
    if (this.#timeout.aborted) {
      throw new CliError(
        EXIT.timeout,
        'TIMEOUT',
        `${what} was not over after ${this.#minutes} min.`,
        'It goes on; give more time with --timeout.',
      )
    }
    throw new CliError(EXIT.interrupted, 'INTERRUPTED', `Stopped waiting; ${what} goes on.`)
  }
}

export async function watchBuild(
  session: Session,
  target: Target & { number: number },
  deadline: Deadline,
  printer: BuildProgress = new BuildPrinter(session),
): Promise<views.BuildView> {
  const { url, client } = await session.connect()
  let last: views.BuildView | null = null
  await follow<{ data: { build: views.BuildView; logs: views.LogChunkView[] } }>(
    url,
    (subscriber) => client.builds.watch.subscribe(target, subscriber),
    ({ data }) => {
      last = data.build
      printer.update(data.build, data.logs)
      return undefined
    },
    deadline.signal,
  )
  printer.end()
  deadline.check(`Build #${target.number}`)
  // The stream may end with the server; then the truth is asked for once more.
  const build = isTold(last) ? last : await client.builds.get.query(target)
  if (!isBuildOver(build.state)) return watchBuild(session, target, deadline, printer)
  return build
}

/** Over, with the deployment that it leads to. */
const isTold = (build: views.BuildView | null): build is views.BuildView =>
  build !== null && isBuildOver(build.state) && (build.state !== 'succeeded' || !build.deploys || build.deployment !== null)

/** Writes each step when it begins, its output, and how it ended. */
class BuildPrinter implements BuildProgress {
  readonly #session: Session
  readonly #states = new Map<number, string>()
  #state = ''
  /** What was written last did not end its line. */
  #open = false

  constructor(session: Session) {
    this.#session = session
  }

  update(build: views.BuildView, logs: readonly views.LogChunkView[]): void {
    const { colors } = this.#session
    if (build.state !== this.#state && (build.state === 'queued' || build.state === 'running'))
      this.#line(`Build #${build.number} ${paintState(build.state, colors)}`)
    this.#state = build.state
    const steps = new Map(build.steps.map((step) => [step.position, step]))
    for (const chunk of logs) {
      const step = chunk.position === null ? undefined : steps.get(chunk.position)
      if (step) this.#begin(step)
      this.#text(chunk.text)
    }
    for (const step of build.steps) {
      if (step.state === 'pending' || step.state === 'skipped') continue
      this.#begin(step)
      const before = this.#states.get(step.position)
      if (before === step.state || step.state === 'running') continue
      this.#states.set(step.position, step.state)
      const took = step.durationMs === null ? '' : colors.dim(` ${formatDuration(step.durationMs)}`)
      const why = step.state === 'done' && step.missDetail ? colors.dim(` (${plain(step.missDetail)})`) : ''
      this.#line(`${colors.dim(`#${step.position}`)} ${paintState(step.state, colors)}${took}${why}`)
    }
  }

  end(): void {
    if (this.#open) this.#line('')
  }

  #begin(step: views.BuildStepView): void {
    if (this.#states.has(step.position)) return
    this.#states.set(step.position, 'running')
    this.#line(`${this.#session.colors.dim(`#${step.position}`)} ${plain(step.name)}`)
  }

  #line(text: string): void {
    if (this.#session.wantsJson) return
    this.#session.io.err(`${this.#open ? '\n' : ''}${text}${text === '' ? '' : '\n'}`)
    this.#open = false
  }

  #text(text: string): void {
    if (this.#session.wantsJson || text === '') return
    this.#session.io.err(plain(text))
    this.#open = !text.endsWith('\n')
  }
}

export async function watchDeployment(
  session: Session,
  target: Target & { number: number },
  deadline: Deadline,
): Promise<views.DeploymentView> {
  const { url, client } = await session.connect()
  const { colors } = session
  const told = new Map<string, string>()
  session.note(`Deployment #${target.number}`)
  await follow<views.DeploymentView>(
    url,
    (subscriber) => client.deployments.watch.subscribe(target, subscriber),
    (view) => {
      for (const hop of view.hops) {
        if (hop.hop === 'push' || hop.hop === 'build' || hop.hop === 'publish') continue
        if (hop.state === 'pending' || told.get(hop.hop) === hop.state) continue
        told.set(hop.hop, hop.state)
        if (hop.state !== 'running')
          session.note(
            `${colors.dim(hop.hop.padEnd(7))} ${paintState(hop.state, colors)}${hop.proof ? colors.dim(`  ${plain(hop.proof)}`) : ''}`,
          )
      }
      return isDeploymentSettled(view.state)
    },
    deadline.signal,
  )
  deadline.check(`Deployment #${target.number}`)
  const view = await client.deployments.get.query(target)
  if (!isDeploymentSettled(view.state)) return watchDeployment(session, target, deadline)
  return view
}

/** From what was started to its end. @throws CliError with exit code 1 when it did not get there. */
export async function watchToTheEnd(
  session: Session,
  target: Target,
  started: { build: number | null; deployment: number | null },
  deadline: Deadline,
  /** How the build is shown, and whether a deployment follows it. */
  { progress, deploy = true }: { progress?: BuildProgress; deploy?: boolean } = {},
): Promise<Outcome> {
  const outcome: Outcome = { build: null, deployment: null }
  let number = started.deployment
  if (started.build !== null) {
    const build = await watchBuild(session, { ...target, number: started.build }, deadline, progress)
    outcome.build = build
    if (build.state !== 'succeeded') throw ended(session, outcome, `Build #${build.number}`, build.state, build.error)
    number = deploy ? (build.deployment?.number ?? null) : null
  }
  if (number === null) return outcome
  const deployment = await watchDeployment(session, { ...target, number }, deadline)
  outcome.deployment = deployment
  // Retired means that it served, and something newer does by now.
  if (deployment.state !== 'serving' && deployment.state !== 'retired')
    throw ended(session, outcome, `Deployment #${number}`, deployment.state, deployment.error)
  return outcome
}

function ended(session: Session, outcome: Outcome, what: string, state: string, error: views.ErrorView | null): CliError {
  if (session.wantsJson) session.answer(outcome, () => '')
  else if (error)
    session.note(
      errorText(
        { ...error, message: plain(error.message), details: { ...error.details, lastLines: error.details.lastLines?.map(plain) } },
        session.colors,
      ),
    )
  return new CliError(EXIT.failed, error?.code ?? state.toUpperCase(), `${what} ${state === 'failed' ? 'failed' : `was ${state}`}.`)
}
