/**
 * Takes: a checked-out folder, the context path and what .dockerignore leaves out.
 * Gives: the trees of the build's contexts, which are on the build host then, and files beneath the folder read safely.
 */
import { open, realpath } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import type { Agent } from '@slipway/agent-client'
import { giveContext, walkContext } from '@slipway/context'
import type { BuildRequest } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { IgnoreMatcher } from '@slipway/dockerfile'

/** The real path of `path` in `root`. A repository may hold symlinks that point anywhere: what leaves the root is refused. */
export async function beneath(root: string, path: string, what: string): Promise<string> {
  let real: string
  try {
    real = await realpath(join(root, path))
  } catch (cause) {
    throw new AppError({
      kind: 'bad-input',
      code: what === 'Dockerfile' ? 'DOCKERFILE_NOT_FOUND' : 'CONTEXT_NOT_FOUND',
      message: `The repository has no ${what === 'Dockerfile' ? `file ${path}` : `folder ${path}`} on this branch. Check the ${what} path in the settings.`,
      cause,
    })
  }
  const rest = relative(await realpath(root), real)
  if (rest === '..' || rest.startsWith(`..${sep}`) || rest.startsWith(sep))
    throw new AppError({
      kind: 'bad-input',
      code: 'PATH_OUTSIDE_REPOSITORY',
      message: `The ${what} path ${path} leads out of the repository through a symbolic link. Point it at something inside.`,
    })
  return real
}

/** A text file beneath `root`, at most `limit` bytes; null when there is none. */
export async function readTextBeneath(root: string, path: string, limit: number, what: string): Promise<string> {
  const real = await beneath(root, path, what)
  const file = await open(real, 'r')
  try {
    const { size } = await file.stat().then((s) => {
      if (!s.isFile())
        throw new AppError({
          kind: 'bad-input',
          code: 'NOT_A_FILE',
          message: `${path} is not a file. Check the ${what} path in the settings.`,
        })
      return s
    })
    if (size > limit)
      throw new AppError({ kind: 'too-large', code: 'FILE_TOO_LARGE', message: `${path} has ${size} bytes; at most ${limit} are read.` })
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** One file system to send; `name`: that of a named context, absent: the build context. */
export interface SentContext {
  name?: string
  root: string
  ignore: IgnoreMatcher
}

/** Of a build request. */
export type GivenContexts = Pick<BuildRequest, 'context' | 'contexts'>

/** Puts contexts onto the build host, which is sent what it has not. The limits hold for all of them together. */
export async function giveContexts(
  agent: Pick<Agent, 'contexts'>,
  scope: string,
  sent: SentContext[],
  signal: AbortSignal,
): Promise<GivenContexts> {
  const budget = { entries: 0, bytes: 0 }
  const given: GivenContexts & { contexts: Record<string, { tree: string }> } = { contexts: {} }
  for (const { name, root, ignore } of sent) {
    const context = await walkContext(root, ignore, signal, { budget })
    const tree = await giveContext(agent.contexts, scope, context, signal)
    if (name === undefined) given.context = { tree }
    else given.contexts[name] = { tree }
  }
  return given
}
