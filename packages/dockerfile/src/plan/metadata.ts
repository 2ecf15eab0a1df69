/** Instructions that change the image's configuration and no file. */
import { formatDurationGo } from '../duration'
import type { CommandLine, CopyInstruction, Healthcheck, RunInstruction, StageInstruction, WorkdirInstruction } from '../instructions/types'
import { LIMITS } from '../limits'
import { exposeFormat } from '../lint/docker'
import { didYouMean } from '../suggest'
import type { Word } from '../words'
import type { PlanContext } from './context'
import type { ImageState } from './image-state'
import { parsePorts } from './ports'
import { isSignal, SIGNAL_NAMES } from './signals'

export type MetadataInstruction = Exclude<StageInstruction, RunInstruction | CopyInstruction | WorkdirInstruction>

interface Tools {
  context: PlanContext
  expand: (word: Word) => string
  expandWords: (word: Word) => string[]
}

const quoted = (list: readonly string[]) => `[${list.map((item) => JSON.stringify(item)).join(' ')}]`

const argv = (command: CommandLine, state: ImageState): string[] =>
  command.form === 'exec' ? command.args : [...state.shellArgs, command.text]

/** Changes the state; returns the instruction's line for the history, null for what has none there. */
export function applyMetadata(instruction: MetadataInstruction, state: ImageState, tools: Tools): string | null {
  const { context, expand, expandWords } = tools
  switch (instruction.kind) {
    case 'ENV': {
      // All values are expanded before the first is set: `ENV a=1 b=$a` sees the old a.
      const pairs = instruction.pairs.map((pair) => [expand(pair.key), expand(pair.value), pair] as const)
      for (const [key, value, pair] of pairs) {
        if (key === '') throw context.fail('BLANK_NAME', 'ENV names cannot be blank.', instruction, pair.key.offset)
        if (`${key}=${value}`.length > LIMITS.valueLength)
          throw context.fail(
            'EXPANSION_TOO_LARGE',
            'The variable is larger than 128 KiB, which Linux cannot pass on.',
            instruction,
            pair.value.offset,
          )
        state.env.set(key, value)
        state.scope.set(key, value)
      }
      return `ENV ${pairs.map(([key, value]) => `${key}=${value}`).join(' ')}`
    }
    case 'LABEL': {
      const pairs = instruction.pairs.map((pair) => [expand(pair.key), expand(pair.value), pair] as const)
      for (const [key, value, pair] of pairs) {
        if (key === '') throw context.fail('BLANK_NAME', 'LABEL names cannot be blank.', instruction, pair.key.offset)
        state.labels.set(key, value)
      }
      return `LABEL ${pairs.map(([key, value]) => `${key}=${value}`).join(' ')}`
    }
    case 'ARG': {
      const shown: string[] = []
      for (const { key, value } of instruction.args) {
        const name = key.text
        context.declared.add(name)
        const given = context.buildArgs.get(name) ?? (value ? expand(value) : context.globals.get(name))
        if (given !== undefined) state.scope.set(name, given)
        state.args.push(name)
        shown.push(given === undefined ? name : `${name}=${given}`)
      }
      return `ARG ${shown.join(' ')}`
    }
    case 'USER':
      state.user = expand(instruction.value)
      return `USER ${state.user}`
    case 'CMD':
      state.cmd = argv(instruction.command, state)
      state.cmdSet = true
      return `CMD ${quoted(state.cmd)}`
    case 'ENTRYPOINT': {
      const args = argv(instruction.command, state)
      state.entrypoint = args.length > 0 ? args : undefined
      if (!state.cmdSet) state.cmd = undefined
      return `ENTRYPOINT ${quoted(args)}`
    }
    case 'EXPOSE': {
      const ports: string[] = []
      for (const word of instruction.ports) {
        for (const text of expandWords(word)) {
          const parsed = parsePorts(text)
          if (!parsed)
            throw context.fail(
              'BAD_PORT',
              `"${text.slice(0, 60)}" is no port.`,
              instruction,
              word.offset,
              'Write a number from 1 to 65535 or a range, with /tcp, /udp or /sctp.',
            )
          // Lint sees what stands in the file; what a variable holds is known here only.
          if (parsed.mapped && word.text.includes('$')) context.warn('ExposeInvalidFormat', exposeFormat(text), instruction)
          context.exposed += parsed.ports.length
          if (context.exposed > LIMITS.exposedPorts) {
            throw context.fail(
              'TOO_MANY_PORTS',
              'EXPOSE names more than 131072 ports in all.',
              instruction,
              word.offset,
              'Name the ports that the app uses.',
            )
          }
          for (const port of parsed.ports) {
            state.ports.add(port)
            if (ports.length < 200) ports.push(port)
          }
        }
      }
      return `EXPOSE [${ports.join(' ')}]`
    }
    case 'VOLUME': {
      const paths = instruction.paths.map(expand)
      for (const path of paths) {
        if (path === '') throw context.fail('EMPTY_VOLUME', 'VOLUME cannot be an empty string.', instruction)
        state.volumes.add(path)
      }
      return `VOLUME [${paths.join(' ')}]`
    }
    case 'STOPSIGNAL': {
      const signal = expand(instruction.value)
      if (!isSignal(signal)) {
        throw context.fail(
          'BAD_SIGNAL',
          `"${signal.slice(0, 40)}" is no signal.`,
          instruction,
          instruction.value.offset,
          didYouMean(`SIG${signal.replace(/^SIG/i, '')}`, SIGNAL_NAMES),
        )
      }
      state.stopSignal = signal
      return `STOPSIGNAL ${signal}`
    }
    case 'SHELL':
      state.shell = instruction.shell
      return `SHELL [${instruction.shell.join(' ')}]`
    case 'MAINTAINER':
      state.author = instruction.value.text
      return `MAINTAINER ${instruction.value.text}`
    case 'ONBUILD':
      state.onBuild.push(instruction.trigger)
      return null
    case 'HEALTHCHECK':
      state.healthcheck = healthcheckConfig(instruction.check)
      return `HEALTHCHECK ${healthcheckText(instruction.check)}`
  }
}

function healthcheckConfig(check: Healthcheck): ImageState['healthcheck'] {
  const { command } = check
  if (!command) return { Test: ['NONE'] }
  const out: NonNullable<ImageState['healthcheck']> = {
    Test: command.form === 'exec' ? ['CMD', ...command.args] : ['CMD-SHELL', command.text],
  }
  // Zero is "inherit" in Docker, so it is left out.
  if (check.interval) out.Interval = check.interval
  if (check.timeout) out.Timeout = check.timeout
  if (check.startPeriod) out.StartPeriod = check.startPeriod
  if (check.startInterval) out.StartInterval = check.startInterval
  if (check.retries) out.Retries = check.retries
  return out
}

function healthcheckText(check: Healthcheck): string {
  if (!check.command) return 'NONE'
  const flags: string[] = []
  if (check.interval) flags.push(`--interval=${formatDurationGo(check.interval)}`)
  if (check.timeout) flags.push(`--timeout=${formatDurationGo(check.timeout)}`)
  if (check.startPeriod) flags.push(`--start-period=${formatDurationGo(check.startPeriod)}`)
  if (check.startInterval) flags.push(`--start-interval=${formatDurationGo(check.startInterval)}`)
  if (check.retries) flags.push(`--retries=${check.retries}`)
  return [...flags, 'CMD', check.command.form === 'exec' ? JSON.stringify(check.command.args) : check.command.text].join(' ')
}
