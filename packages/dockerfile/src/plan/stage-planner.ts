/** One stage: its instructions in order become vertices and image configuration. */
import { contentOf } from '../heredoc'
import type { CopyInstruction, Place, RunInstruction, StageInstruction } from '../instructions/types'
import { LIMITS } from '../limits'
import type { Word } from '../words'
import { sandboxHostname } from './buildkit-args'
import type { PlanContext } from './context'
import { envList, type ImageState } from './image-state'
import { applyMetadata } from './metadata'
import { type ContextSource, gitContext } from './named-contexts'
import { absolutePath, copyDestination, copySource, parentsSource } from './paths'
import { formatPlatform, PROXY_ARGS, runsOn } from './platform'
import { GitSourceError } from './remote'
import { type RunMount, runMounts } from './run-mounts'
import type { Origin, PlannedStage } from './stages'
import { checksumOf, type HttpSource, httpSource, isUrl, literalSource, maskCredentials, type Part } from './urls'
import { type StepCounter, shownText, type Vertices } from './vertices'

/** As the contract's: `u=rwX,go-w`. */
const SYMBOLIC_MODE = /^[ugoa]*(?:[-+=][rwxXst]*)+(?:,[ugoa]*(?:[-+=][rwxXst]*)+)*$/

export interface StagePlannerInit {
  context: PlanContext
  vertices: Vertices
  stage: PlannedStage
  state: ImageState
  /** Vertex of the base. */
  vertex: string
  steps: StepCounter
  /** Vertex of a COPY --from or RUN --mount=from. */
  vertexOf: (origin: Origin, user: Place) => string
  /** Vertex of a file behind a URL. */
  fetch: (source: HttpSource, checksum: string | null, user: Place) => string
  /** Vertex of files that the client sends. */
  contextOf: (source: ContextSource, user: Place) => string
  /** Sums of the sizes of environments and history so far, shared by all stages of the plan. */
  budget: { env: number; history: number }
}

export class StagePlanner {
  readonly #init: StagePlannerInit
  readonly state: ImageState
  vertex: string

  constructor(init: StagePlannerInit) {
    this.#init = init
    this.state = init.state
    this.vertex = init.vertex
  }

  run(): void {
    for (const instruction of this.#init.stage.instructions) this.#step(instruction)
  }

  #step(instruction: StageInstruction): void {
    switch (instruction.kind) {
      case 'RUN':
        this.#run(instruction)
        break
      case 'COPY':
      case 'ADD':
        this.#copy(instruction)
        break
      case 'WORKDIR': {
        const { state } = this
        state.workdir = absolutePath(state.workdir, this.#expand(instruction, instruction.value))
        const prefix = this.#init.steps.prefix()
        let made: string | null = null
        if (state.workdir !== '/') {
          made = this.vertex = this.#init.vertices.add(instruction, this.#init.stage.id, prefix, instruction.original, {
            type: 'mkdir',
            input: this.vertex,
            path: state.workdir,
            user: state.user,
          })
        }
        this.#commit(`WORKDIR ${state.workdir}`, made)
        break
      }
      default: {
        const createdBy = applyMetadata(instruction, this.state, {
          context: this.#init.context,
          expand: (word) => this.#expand(instruction, word),
          expandWords: (word) => this.#expansion(instruction, word).words,
        })
        if (createdBy !== null) this.#commit(createdBy, null)
      }
    }
  }

  #expansion(instruction: StageInstruction, word: Word) {
    const { scope, args } = this.state
    return this.#init.context.expand(
      instruction,
      word,
      (name) => scope.get(name),
      () => scope.keys(),
      (name) => args.includes(name),
    )
  }

  #expand(instruction: StageInstruction, word: Word): string {
    return this.#expansion(instruction, word).text
  }

  #commit(createdBy: string, vertex: string | null): void {
    const { budget } = this.#init
    budget.history += createdBy.length
    this.state.history.push({ createdBy: budget.history > LIMITS.historyLength ? shownText(createdBy) : createdBy, vertex })
  }

  #run(instruction: RunInstruction): void {
    const { context, vertices, stage, steps, budget } = this.#init
    const { state } = this
    if (!runsOn(context.buildPlatform, stage.platform)) {
      throw context.fail(
        'PLATFORM_CANNOT_RUN',
        `This RUN needs a machine of ${formatPlatform(stage.platform)}, and the build host is ${formatPlatform(context.buildPlatform)}; nothing is emulated.`,
        instruction,
        0,
        'RUN it in a stage FROM --platform=$BUILDPLATFORM and COPY --from that stage.',
      )
    }
    const { args, script } = this.#runArgs(instruction)
    if (args.some((arg) => arg.length > LIMITS.valueLength)) {
      throw context.fail(
        'RUN_TOO_LONG',
        'The command is longer than 128 KiB, which Linux cannot start.',
        instruction,
        0,
        'Put it into a script, COPY the script and RUN it.',
      )
    }
    if (args.some((arg) => arg.includes('\0'))) throw context.fail('NUL_BYTE', 'A command cannot hold a NUL character.', instruction)
    const scope = new Map(state.scope)
    for (const [name, value] of context.buildArgs) if (PROXY_ARGS.has(name) && !scope.has(name)) scope.set(name, value)
    const env = envList(scope)
    budget.env += env.reduce((sum, entry) => sum + entry.length, 0)
    if (budget.env > LIMITS.planEnvLength) {
      throw context.fail(
        'ENVIRONMENT_TOO_LARGE',
        'The environments of all RUN steps together are larger than 32 MiB. Use smaller ENV and ARG values.',
        instruction,
      )
    }
    const hostname = sandboxHostname(this.#init.context)
    const mounts = runMounts(this.#init, state, instruction, (word) => this.#expand(instruction, word))
    if (script) mounts.push(script)
    this.vertex = vertices.add(instruction, stage.id, steps.prefix(), instruction.original.replace(/^\S+/, 'RUN'), {
      type: 'exec',
      input: this.vertex,
      args,
      env,
      cwd: state.workdir || '/',
      user: state.user,
      ...(mounts.length > 0 && { mounts }),
      ...(instruction.network !== 'default' && { network: instruction.network }),
      ...(instruction.insecure && { insecure: true as const }),
      ...(hostname !== undefined && { hostname }),
    })
    const buildArgs = [...new Set(state.args)].map((name) => `${name}=${state.scope.get(name) ?? ''}`)
    // BuildKit tells a script with `#!` as run by the shell, which it is not.
    const told = script ? [...this.state.shellArgs, ...args] : args
    this.#commit(['RUN', ...(buildArgs.length > 0 ? [`|${buildArgs.length}`, ...buildArgs] : []), ...told].join(' '), this.vertex)
  }

  /** The argv of a RUN. A lone heredoc is the script itself, with `#!` a program of its own; one behind a command is left to the shell. */
  #runArgs(instruction: RunInstruction): { args: string[]; script?: RunMount } {
    const { command, heredocs } = instruction
    if (command.form === 'exec') return { args: command.args }
    const { shellArgs } = this.state
    const [first] = heredocs
    if (!first) return { args: [...shellArgs, command.text] }
    if (heredocs.length > 1 || command.text !== first.word) {
      return { args: [...shellArgs, [command.text, ...heredocs.map((heredoc) => `${heredoc.content}${heredoc.name}`)].join('\n')] }
    }
    const script = contentOf(first)
    if (!script.startsWith('#!')) return { args: [...shellArgs, script] }
    const target = `/dev/pipes/${/^[A-Za-z0-9_.-]{1,64}$/.test(first.name) && !/^\.+$/.test(first.name) ? first.name : 'script'}`
    if (script.length > LIMITS.valueLength || script.includes('\0'))
      throw this.#init.context.fail('RUN_TOO_LONG', 'The script is longer than 128 KiB or holds a NUL character.', instruction)
    return { args: [target], script: { type: 'file', target, data: script, mode: 0o755 } }
  }

  #copy(instruction: CopyInstruction): void {
    const { context, vertices, stage, steps } = this.#init
    const { kind } = instruction
    const { written, parts, checksum } = this.#sources(instruction)
    written.push(this.#expand(instruction, instruction.dest))
    const dest = copyDestination(this.state.workdir, written.at(-1) ?? '')
    const inline = instruction.inline.map((heredoc) => ({
      name: heredoc.name,
      data: context.expandHeredoc(instruction, heredoc, contentOf(heredoc), (name) => this.state.scope.get(name)),
    }))
    if (instruction.sources.length + inline.length > 1 && !dest.endsWith('/')) {
      throw context.fail(
        'DESTINATION_NOT_A_DIRECTORY',
        `${kind} with more than one source needs a directory as its destination.`,
        instruction,
        instruction.dest.offset,
        `End it with a slash: ${instruction.dest.text}/`,
      )
    }
    if (written.some((text) => text.includes('\0'))) throw context.fail('NUL_BYTE', 'A path cannot hold a NUL character.', instruction)
    const chown = instruction.chown ? this.#expand(instruction, instruction.chown) : ''
    const exclude = instruction.exclude.map((word) => this.#expand(instruction, word)).filter((pattern) => pattern !== '')
    const [first, ...more] = parts
    this.vertex = vertices.add(instruction, stage.id, steps.prefix(), instruction.original.replace(/^\S+/, kind), {
      type: 'copy',
      input: this.vertex,
      from: first?.from ?? null,
      sources: first?.sources ?? [],
      dest,
      chown,
      chmod: this.#mode(instruction),
      extract: first?.extract ?? instruction.unpack !== false,
      ...(inline.length > 0 && { inline }),
      ...(instruction.parents && { parents: true as const }),
      ...(exclude.length > 0 && { exclude }),
      ...(instruction.link && { link: true as const }),
      ...(more.length > 0 && { more }),
    })
    const flags = [
      chown && `--chown=${chown}`,
      instruction.chmod && `--chmod=${instruction.chmod.text}`,
      instruction.link && '--link',
      kind === 'ADD' && instruction.unpack !== null && `--unpack=${instruction.unpack}`,
      checksum && `--checksum=${checksum}`,
      instruction.parents && '--parents',
      instruction.keepGitDir && '--keep-git-dir',
      ...exclude.map((pattern) => `--exclude=${pattern}`),
    ]
    this.#commit(
      [
        kind,
        ...flags.filter(Boolean),
        ...written.slice(0, -1).map(maskCredentials),
        ...inline.map(({ name }) => `<<${name}`),
        written.at(-1),
      ].join(' '),
      this.vertex,
    )
  }

  /** The sources as written, variables expanded, and where they lie: one part for each run of those that lie at one place. */
  #sources(instruction: CopyInstruction): { written: string[]; parts: Part[]; checksum: string | null } {
    const { context, stage, vertexOf } = this.#init
    const written = instruction.sources.map((word) => this.#expand(instruction, word))
    const origin = stage.copies.get(instruction)
    const from = origin ? vertexOf(origin, instruction) : null
    const repositories = written.map((source, i) => this.#repository(instruction, source, instruction.sources[i] ?? instruction.dest))
    const urls = written.map((source, i) => {
      const word = instruction.sources[i] ?? instruction.dest
      if (repositories[i]) return null
      if (instruction.kind === 'ADD') return httpSource(context, instruction, word, source)
      if (isUrl(source)) throw context.fail('COPY_URL', 'COPY takes no URLs.', instruction, word.offset, 'ADD does.')
      return null
    })
    const all = written.length + instruction.inline.length
    const given = instruction.checksum ? this.#expand(instruction, instruction.checksum) : ''
    // Of the only source, a repository, it is a commit.
    const commit = all === 1 && repositories[0] ? given || null : null
    const checksum = commit ?? checksumOf(context, instruction, given, [...urls, ...repositories].filter(Boolean).length, all)
    const parts: Part[] = []
    urls.forEach((url, i) => {
      const source = written[i] ?? ''
      if (url) {
        const vertex = this.#init.fetch(url, checksum, instruction)
        parts.push({ from: vertex, sources: [literalSource(url.filename)], extract: instruction.unpack === true })
        return
      }
      const repository = repositories[i]
      if (repository) {
        parts.push({ from: this.#init.contextOf(repository, instruction), sources: ['.'], extract: false })
        return
      }
      const path = instruction.parents ? parentsSource(source) : copySource(source)
      const last = parts.at(-1)
      if (last && last.from === from) last.sources.push(path)
      else parts.push({ from, sources: [path], extract: instruction.unpack !== false })
    })
    return { written, parts, checksum }
  }

  /** A source of ADD that is a Git repository; null: something else. */
  #repository(instruction: CopyInstruction, text: string, word: Word): ContextSource | null {
    const { context } = this.#init
    if (instruction.kind !== 'ADD') return null
    const checksum = instruction.checksum ? this.#expand(instruction, instruction.checksum) : null
    try {
      const source = gitContext(text, instruction.keepGitDir)
      if (source?.kind !== 'git') return null
      if (checksum !== null && !/^[0-9a-f]{7,64}$/.test(checksum))
        throw new GitSourceError(`"${checksum.slice(0, 80)}" is no commit: write 40 hex digits, or at least the first 7.`)
      if (checksum !== null && source.checksum !== null && source.checksum !== checksum)
        throw new GitSourceError('--checksum and the address name two commits.')
      return { ...source, checksum: checksum ?? source.checksum }
    } catch (error) {
      if (!(error instanceof GitSourceError)) throw error
      throw context.fail('BAD_GIT_SOURCE', error.message, instruction, word.offset)
    }
  }

  #mode(instruction: CopyInstruction): string | null {
    if (!instruction.chmod) return null
    const text = this.#expand(instruction, instruction.chmod)
    if (text === '') return null
    const digits = text.replace(/^0+(?=[0-7]{3})/, '').padStart(3, '0')
    if (/^[0-7]{3,4}$/.test(digits)) return digits
    if (SYMBOLIC_MODE.test(text)) return text
    throw this.#init.context.fail(
      'BAD_CHMOD',
      `--chmod=${text.slice(0, 40)} is no mode.`,
      instruction,
      instruction.chmod.offset,
      'Write octal digits, such as --chmod=755, or letters, such as --chmod=u=rwX,go=rX.',
    )
  }
}
