/** Checks that need no build: a part of the rules of `docker build --check`, under their published names. */
import type { DockerfileWarning } from './errors'
import type { Stage } from './instructions/types'
import type { Dockerfile } from './parser'

const SECRET = /(?:^|_)(?:password|pword|passwd|pass|secret|token|apikey|api_key|auth|credential|credentials|private_key)(?:$|_)/i
const NOT_SECRET = /(?:^|_)public(?:$|_)|_file$|_url$/i
const MAX = 200

export function lintDockerfile(dockerfile: Dockerfile): DockerfileWarning[] {
  const out: DockerfileWarning[] = []
  const add = (rule: string, message: string, line: number) => {
    if (out.length < MAX) out.push({ rule, message, line })
  }
  const names = new Set<string>()
  for (const stage of dockerfile.stages) {
    const { name, range } = stage.from
    if (name === 'scratch' || name === 'context') add('ReservedStageName', `The stage name "${name}" is reserved.`, range.start.line)
    if (name !== null && names.has(name))
      add('DuplicateStageName', `The stage name "${name}" is used twice; the later one wins.`, range.start.line)
    if (name !== null) names.add(name)
    lintStage(stage, add)
  }
  return out
}

function lintStage(stage: Stage, add: (rule: string, message: string, line: number) => void): void {
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
