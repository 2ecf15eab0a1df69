/**
 * Takes: a context in whose repository no Dockerfile was found.
 * Gives: one made from its manifests, with its .dockerignore, after telling what was found; or says what was looked for.
 */
import { AppError } from '@slipway/core'
import { type Detection, detect } from '@slipway/dockerfile/detect'
import { readTree } from './tree'

export async function makeDockerfile(
  contextRoot: string,
  missing: AppError,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<Detection> {
  const made = detect(await readTree(contextRoot, signal))
  if ('refused' in made)
    throw new AppError({
      kind: 'bad-input',
      code: 'DOCKERFILE_NOT_FOUND',
      message: `${missing.message} None could be made from what it holds: ${made.refused}`,
      cause: missing,
    })
  const facts = made.evidence.map(({ file, fact }) => `${file} ${fact}`).join(', ')
  onProgress(`no Dockerfile: made one for ${made.stack.join(', ')} (${facts}); it listens on port ${made.port}`)
  for (const warning of made.warnings) onProgress(`warning: ${warning}`)
  return made
}
