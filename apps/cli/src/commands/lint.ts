/** lint: what is wrong, slow or large about a Dockerfile. Reads files of this machine; asks no server. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Finding } from '@slipway/contracts'
import { checkParsed, createIgnoreMatcher, DockerfileError, formatDockerfileError, LIMITS, parseDockerfile } from '@slipway/dockerfile'
import type { Command } from 'commander'
import { CliError, EXIT } from '../errors'
import { plain } from '../output'
import type { Action } from '../program'
import type { Session } from '../session'

export function lintCommand(program: Command, action: Action): void {
  program
    .command('lint [path]')
    .description('check a Dockerfile, or the one of a folder; exit code 1 when something is found')
    .option('--context <folder>', 'folder of the .dockerignore (default: that of the Dockerfile)')
    .action(
      action(async (session, { context }: { context?: string }, given: string | undefined) => {
        const path = given ?? '.'
        const file = (await isFolder(path)) ? join(path, 'Dockerfile') : path
        const text = await read(file)
        if (text === null)
          throw new CliError(
            EXIT.notFound,
            'NO_DOCKERFILE',
            `There is no ${plain(file)}.`,
            'Name a Dockerfile, or a folder that holds one.',
          )
        const ignoreFile = (await read(`${file}.dockerignore`)) ?? (await read(join(context ?? dirname(file), '.dockerignore')))
        const findings = check(file, text, ignoreFile ?? '')
        session.answer(findings, () => describe(findings, file, text, session))
        if (findings.length > 0)
          throw new CliError(EXIT.failed, 'FINDINGS', findings.length === 1 ? '1 finding.' : `${findings.length} findings.`)
      }),
    )
}

function check(file: string, text: string, ignoreText: string): Finding[] {
  try {
    return checkParsed(parseDockerfile(text, { file }), { ignore: createIgnoreMatcher(ignoreText) })
  } catch (error) {
    if (error instanceof DockerfileError) throw new CliError(EXIT.failed, error.code, formatDockerfileError(error))
    throw error
  }
}

function describe(findings: readonly Finding[], file: string, text: string, session: Session): string {
  if (findings.length === 0) return `${plain(file)}: nothing to say.\n`
  const lines = text.split('\n')
  return findings
    .map(({ rule, message, line }) => {
      const source = line === null ? '' : `\n  ${session.colors.dim(plain(`${line} | ${(lines[line - 1] ?? '').trimEnd().slice(0, 160)}`))}`
      return `${session.colors.busy(rule)}  ${plain(file)}:${line ?? 1}\n  ${plain(message)}${source}\n`
    })
    .join('\n')
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null)
  return found?.isDirectory() ?? false
}

/** null when there is none. */
async function read(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  if (!found?.isFile()) return null
  if (found.size > LIMITS.fileLength) throw new CliError(EXIT.usage, 'TOO_LARGE', `${plain(path)} is larger than 1 MiB.`)
  return readFile(path, 'utf8')
}
