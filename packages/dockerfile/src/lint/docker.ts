/** The rules of `docker build --check`, but for those of variables (variables.ts) and the lexer (NoEmptyContinuation). */
import { expand } from '../expand'
import type { ArgInstruction, FromInstruction, Place, Stage } from '../instructions/types'
import type { Dockerfile } from '../parser'
import { platformArgs } from '../plan/platform'
import type { LintOptions, Report } from './lint'

const SECRET = /(?:^|_)(?:password|pword|passwd|pass|secret|token|apikey|api_key|auth|credential|credentials|private_key)(?:$|_)/i
const NOT_SECRET = /(?:^|_)public(?:$|_)|_file$|_url$/i

/** Docker's own arguments; of a platform for which none of them is empty. */
const ANY_PLATFORM = platformArgs(
  { os: 'linux', architecture: 'arm', variant: 'v7' },
  { os: 'linux', architecture: 'arm', variant: 'v7' },
  '',
)

/** The keyword as it was written. */
const written = (place: Place): string => /^\S+/.exec(place.original)?.[0] ?? ''
const isLower = (text: string) => text === text.toLowerCase()
const isUpper = (text: string) => text === text.toUpperCase()

/** What BuildKit says of it. */
export const exposeFormat = (port: string): string =>
  `EXPOSE instruction should not define an IP address or host-port mapping, found '${port.slice(0, 60)}'`

export function lintDocker(dockerfile: Dockerfile, options: LintOptions, report: Report): void {
  casing(dockerfile, report)
  descriptions(dockerfile, report)
  for (const instruction of dockerfile.globalArgs) secretArgs(instruction, options, report)
  const names = new Set<string>()
  for (const stage of dockerfile.stages) {
    const { name, range } = stage.from
    const line = range.start.line
    if (name === 'scratch' || name === 'context') report('ReservedStageName', `The stage name "${name}" is reserved.`, line)
    if (name !== null && names.has(name)) report('DuplicateStageName', `The stage name "${name}" is used twice; the later one wins.`, line)
    if (name !== null) names.add(name)
    from(dockerfile, stage.from, report)
    lintStage(stage, report)
    for (const instruction of stage.instructions) {
      if (instruction.kind === 'ARG') secretArgs(instruction, options, report)
      if ((instruction.kind !== 'COPY' && instruction.kind !== 'ADD') || instruction.from || !options.ignore) continue
      for (const { text } of instruction.sources) {
        const path = text.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '')
        if (/[$*?[\\:]/.test(path) || path === '' || path === '.' || !options.ignore.ignores(path)) continue
        report('CopyIgnoredFile', `${path.slice(0, 120)} is left out of the context by .dockerignore.`, instruction.range.start.line)
      }
    }
  }
}

/** Rule of our own: such an ARG has no value, which its author did not mean. */
function secretArgs({ args, range }: ArgInstruction, { secrets = [] }: LintOptions, report: Report): void {
  for (const { key } of args) {
    if (!secrets.includes(key.text)) continue
    const name = key.text.slice(0, 80)
    report(
      'SecretVariableInArg',
      `ARG ${name} is not given the secret variable ${name}, which would stay readable in the image. Write RUN --mount=type=secret,id=${name} and read /run/secrets/${name}, or add ,env=${name}.`,
      range.start.line,
    )
  }
}

/** ConsistentInstructionCasing: what differs from the case of most. */
function casing(dockerfile: Dockerfile, report: Report): void {
  const all: Place[] = [...dockerfile.globalArgs, ...dockerfile.stages.flatMap((stage) => [stage.from, ...stage.instructions])]
  const keywords = all.map(written)
  const lower = keywords.filter(isLower).length > keywords.filter(isUpper).length
  for (const [i, keyword] of keywords.entries()) {
    if (lower ? isLower(keyword) : isUpper(keyword)) continue
    const like = lower ? 'lower case' : 'upper case'
    report(
      'ConsistentInstructionCasing',
      `${keyword} should be in ${like}, as most instructions of this file.`,
      all[i]?.range.start.line ?? 1,
    )
  }
}

/** InvalidDefinitionDescription: of a comment right before an ARG or a named FROM, which tools show as what it is for. */
function descriptions(dockerfile: Dockerfile, report: Report): void {
  const describe = (what: string, names: readonly string[], { line, range }: Place) => {
    const comment = line.comments.at(-1)
    const [first] = names
    if (comment === undefined || first === undefined || names.includes(comment.split(' ')[0] ?? '')) return
    const example = names.length > 1 ? '<arg_key>' : first.slice(0, 80)
    report('InvalidDefinitionDescription', `Comment for ${what} should follow the format: \`# ${example} <description>\``, range.start.line)
  }
  const args = (instruction: ArgInstruction) =>
    describe(
      'build argument',
      instruction.args.map(({ key }) => key.text),
      instruction,
    )
  for (const instruction of dockerfile.globalArgs) args(instruction)
  for (const { from, instructions } of dockerfile.stages) {
    describe('build stage', from.name === null ? [] : [from.name], from)
    for (const instruction of instructions) if (instruction.kind === 'ARG') args(instruction)
  }
}

function from(dockerfile: Dockerfile, instruction: FromInstruction, report: Report): void {
  const line = instruction.range.start.line
  const words = instruction.original.split(/\s+/)
  const as = words.at(-2) ?? ''
  if (instruction.name !== null) {
    const name = words.at(-1) ?? ''
    if (!isLower(name)) report('StageNameCasing', `The stage name "${name.slice(0, 80)}" should be in lower case.`, line)
    const keyword = written(instruction)
    if (isLower(keyword) !== isLower(as) || isUpper(keyword) !== isUpper(as))
      report('FromAsCasing', `${keyword} and ${as} are not in the same case.`, line)
  }
  const platform = instruction.platform?.text
  if (platform !== undefined && /^\$\{?TARGETPLATFORM\}?$/.test(platform))
    report('RedundantTargetPlatform', 'The target platform is the default; leave --platform out.', line)
  else if (
    platform !== undefined &&
    !platform.includes('$') &&
    !dockerfile.stages.some((stage) => stage.from.name === instruction.image.text.toLowerCase())
  )
    report(
      'FromPlatformFlagConstDisallowed',
      `--platform=${platform.slice(0, 60)} is fixed: the image cannot be built for another platform.`,
      line,
    )
  if (!instruction.image.text.includes('$')) return
  const defaults = new Map(ANY_PLATFORM)
  for (const { args } of dockerfile.globalArgs)
    for (const { key, value } of args) if (value) defaults.set(key.text, plain(dockerfile, value.text, defaults))
  const image = plain(dockerfile, instruction.image.text, defaults)
  if (image === '' || /^[:/@-]|[:/@]$|\s|\/\/|:@|:\//.test(image))
    report(
      'InvalidDefaultArgInFrom',
      `With the defaults of its ARGs, ${instruction.image.text.slice(0, 80)} is no image name. Give them defaults that are.`,
      line,
    )
}

function plain(dockerfile: Dockerfile, text: string, values: ReadonlyMap<string, string>): string {
  try {
    return expand(text, (name) => values.get(name), dockerfile.directives.escape).text
  } catch {
    return 'told-elsewhere' // planning says what is wrong with it
  }
}

function lintStage(stage: Stage, add: Report): void {
  const last = new Map<string, number>()
  let shellSet = false
  let workdirSet = false
  for (const instruction of stage.instructions) {
    const line = instruction.range.start.line
    const { kind } = instruction
    if (kind === 'CMD' || kind === 'ENTRYPOINT' || kind === 'HEALTHCHECK') {
      const before = last.get(kind)
      if (before !== undefined)
        add('MultipleInstructionsDisallowed', `Only the last ${kind} of a stage counts; this one is not used.`, before)
      last.set(kind, line)
    }
    if ((kind === 'CMD' || kind === 'ENTRYPOINT') && instruction.command.form === 'shell' && !shellSet) {
      add(
        'JSONArgsRecommended',
        `${kind} in shell form runs under /bin/sh, which does not pass signals on. Write it as a JSON array.`,
        line,
      )
    }
    if (kind === 'SHELL') shellSet = true
    if (kind === 'EXPOSE') {
      for (const { text } of instruction.ports) {
        if (!text.includes('$') && text.includes(':')) add('ExposeInvalidFormat', exposeFormat(text), line)
        const protocol = text.split('/')[1] ?? ''
        if (!protocol.includes('$') && !isLower(protocol))
          add('ExposeProtoCasing', `The protocol ${protocol.slice(0, 20)} should be in lower case.`, line)
      }
    }
    if (kind === 'MAINTAINER') add('MaintainerDeprecated', 'MAINTAINER is deprecated. Use LABEL org.opencontainers.image.authors.', line)
    if (kind === 'WORKDIR') {
      if (!workdirSet && !/^["']?[/$]/.test(instruction.value.text))
        add(
          'WorkdirRelativePath',
          `WORKDIR ${instruction.value.text.slice(0, 80)} is relative: where it is depends on the base image.`,
          line,
        )
      workdirSet = true
    }
    if ((kind === 'ENV' || kind === 'LABEL') && instruction.pairs.some((pair) => pair.legacy)) {
      add('LegacyKeyValueFormat', `Write ${kind} name=value instead of ${kind} name value.`, line)
    }
    const keys =
      kind === 'ENV' ? instruction.pairs.map((pair) => pair.key.text) : kind === 'ARG' ? instruction.args.map((arg) => arg.key.text) : []
    for (const key of keys) {
      if (SECRET.test(key) && !NOT_SECRET.test(key))
        add('SecretsUsedInArgOrEnv', `${kind} ${key.slice(0, 80)} looks like a secret; it stays readable in the image's history.`, line)
    }
  }
}
