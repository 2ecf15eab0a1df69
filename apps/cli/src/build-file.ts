/** Takes: a folder, and what `-f` says. Gives: the Dockerfile that is built, and what leaves files out; one is made where there is none. */
import { basename, join, relative, resolve } from 'node:path'
import type { DockerfileOrigin } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import { checkDockerfile, createIgnoreMatcher, DockerfileError, formatDockerfileError, LIMITS } from '@slipway/dockerfile'
import { ignoreText, readText } from './build-options'
import { CliError, EXIT } from './errors'
import { plain } from './output'
import type { Session } from './session'

export interface BuildFile {
  path: string
  text: string
  ignore: string
  origin: DockerfileOrigin
}

export async function buildFile(session: Session, folder: string, given: string | undefined): Promise<BuildFile> {
  const file = given === undefined ? join(folder, 'Dockerfile') : resolve(given)
  const path = relative(folder, file).startsWith('..') ? basename(file) : relative(folder, file)
  const text = await readText(file, LIMITS.fileLength)
  if (text !== null) {
    const ignore = await ignoreText(folder, file, LIMITS.ignoreFileLength)
    check(path, text, ignore)
    return { path, text, ignore, origin: { kind: 'repository', stack: [], evidence: [] } }
  }
  // Whoever says which file it is means that one: a typo stays an error.
  if (given !== undefined)
    throw new CliError(EXIT.notFound, 'DOCKERFILE_NOT_FOUND', `There is no ${plain(given)}.`, 'Leave --file out to have one made.')
  return made(session, folder)
}

async function made(session: Session, folder: string): Promise<BuildFile> {
  const missing = new AppError({
    kind: 'not-found',
    code: 'DOCKERFILE_NOT_FOUND',
    message: `There is no Dockerfile in ${plain(folder)}.`,
  })
  try {
    const { makeDockerfile } = await import('./made')
    const { dockerfile, ignore, stack, evidence } = await makeDockerfile(folder, missing, session.signal, (line) =>
      session.note(plain(line)),
    )
    const own = await ignoreText(folder, join(folder, 'Dockerfile'), LIMITS.ignoreFileLength)
    return { path: 'Dockerfile', text: dockerfile, ignore: own || ignore, origin: { kind: 'generated', stack, evidence } }
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'DOCKERFILE_NOT_FOUND')) throw error
    const hint = 'Name a Dockerfile with --file, or a folder that holds one.'
    throw new CliError(EXIT.notFound, error.code, plain(error.message), hint, error)
  }
}

/** What is wrong with it is told before anything is sent. */
function check(path: string, text: string, ignore: string): void {
  try {
    const broken = checkDockerfile(text, { file: path, ignore: createIgnoreMatcher(ignore) }).find(({ severity }) => severity === 'error')
    if (broken)
      throw new CliError(
        EXIT.failed,
        broken.rule,
        plain(`${path}:${broken.line ?? 1}: ${broken.message}`),
        broken.hint ? plain(broken.hint) : undefined,
      )
  } catch (error) {
    if (error instanceof DockerfileError) throw new CliError(EXIT.failed, error.code, plain(formatDockerfileError(error)))
    throw error
  }
}
