import { type Directives, readDirectives } from './directives'
import type { DockerfileWarning } from './errors'
import { Node } from './instructions/node'
import { parseInstruction } from './instructions/parse'
import type { ArgInstruction, Instruction, Stage, StageInstruction } from './instructions/types'
import { lex } from './lexer'
import { LIMITS } from './limits'
import { Source } from './source'

/** A parsed Dockerfile: nothing is expanded yet, nothing outside it was read. */
export interface Dockerfile {
  file: string
  directives: Directives
  /** ARG before the first FROM. */
  globalArgs: ArgInstruction[]
  stages: Stage[]
  /** What the parser noticed; planning adds its own. */
  warnings: DockerfileWarning[]
  source: Source
}

export interface ParseOptions {
  /** Name shown in errors; default `Dockerfile`. */
  file?: string
  /** In the place of the `check` directive, as BuildKit's BUILDKIT_DOCKERFILE_CHECK. */
  check?: string
}

/**
 * Text → instructions by stage. Linear in the text's length.
 * @throws DockerfileError with line and column; nothing else, whatever the text.
 */
export function parseDockerfile(text: string, options: ParseOptions = {}): Dockerfile {
  const source = new Source(text, options.file ?? 'Dockerfile')
  const written = readDirectives(source)
  const directives = options.check === undefined ? written : { ...written, check: options.check }
  const warnings: DockerfileWarning[] = []
  const lines = lex(source, directives.escape, warnings)
  if (lines.length === 0) throw source.error('EMPTY_DOCKERFILE', 'The file holds no instructions. It needs at least a FROM.')
  if (lines.length > LIMITS.instructions) {
    throw source.error('TOO_MANY_INSTRUCTIONS', `The file holds more than ${LIMITS.instructions} instructions.`, {
      line: lines[LIMITS.instructions]?.startLine ?? 1,
      column: 1,
    })
  }
  const globalArgs: ArgInstruction[] = []
  const stages: Stage[] = []
  for (const line of lines) {
    const instruction: Instruction = parseInstruction(new Node(source, line, directives.escape))
    const stage = stages.at(-1)
    if (instruction.kind === 'FROM') stages.push({ index: stages.length, from: instruction, instructions: [] })
    else if (stage) stage.instructions.push(instruction)
    else if (instruction.kind === 'ARG') globalArgs.push(instruction)
    else {
      throw source.error('NO_FROM', `${instruction.keyword} stands before the first FROM; only ARG may.`, instruction.range.start, {
        hint: 'Begin with FROM <image>.',
      })
    }
  }
  if (stages.length === 0) throw source.error('NO_FROM', 'The file holds no FROM.', undefined, { hint: 'Begin with FROM <image>.' })
  return { file: source.file, directives, globalArgs, stages, warnings, source }
}

/** An ONBUILD trigger, as an image's configuration has it. @throws DockerfileError that names `file`, since the Dockerfile has no such line. */
export function parseTrigger(text: string, file: string): StageInstruction[] {
  const source = new Source(text, file)
  return lex(source, '\\', []).map((line) => {
    const instruction = parseInstruction(new Node(source, line, '\\'))
    if (instruction.kind !== 'FROM' && instruction.kind !== 'ONBUILD' && instruction.kind !== 'MAINTAINER') return instruction
    throw source.error('BAD_TRIGGER', `${instruction.kind} is not allowed as an ONBUILD trigger.`, instruction.range.start)
  })
}
