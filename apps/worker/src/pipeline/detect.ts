/**
 * Takes: a context in whose repository no Dockerfile was found.
 * Gives: one made from its manifests, with its .dockerignore, after telling what was found; or says what was looked for.
 */
import { readdir } from 'node:fs/promises'
import { AppError } from '@slipway/core'
import { detect, MANIFEST_LIMIT, MANIFESTS } from '@slipway/dockerfile'
import { readTextBeneath } from './context'

export async function makeDockerfile(
  contextRoot: string,
  missing: AppError,
  onProgress: (line: string) => void,
): Promise<{ text: string; ignore: string }> {
  const names = new Set(await readdir(contextRoot))
  const texts = new Map<string, string>()
  for (const name of MANIFESTS) if (names.has(name)) texts.set(name, await readTextBeneath(contextRoot, name, MANIFEST_LIMIT, 'manifest'))

  const made = detect({ names, texts })
  if ('refused' in made)
    throw new AppError({
      kind: 'bad-input',
      code: 'DOCKERFILE_NOT_FOUND',
      message: `${missing.message} None could be made from what it holds: ${made.refused}`,
      cause: missing,
    })
  onProgress(`no Dockerfile: made one for ${made.framework} (${made.reasons.join(', ')}); it listens on port ${made.port}`)
  for (const warning of made.warnings) onProgress(`warning: ${warning}`)
  for (const line of made.dockerfile.trimEnd().split('\n')) onProgress(`  ${line}`)
  return { text: made.dockerfile, ignore: made.ignore }
}
