/** Files of a folder that somebody else has made, read without leaving it. */
import { open, realpath } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { AppError } from '@slipway/core'

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
