// How a command of `infra` ends.
import { StartError } from './errors.mjs'

/** Runs the command; its number is the exit code, and a fault is told as people can use it. @param {() => Promise<number | void>} main */
export async function runCommand(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    const text =
      error instanceof StartError
        ? [error.detail?.replace(/^/gm, '  | '), error.message, error.hint].filter(Boolean).join('\n')
        : (error?.stack ?? error)
    process.stderr.write(`\n${text}\n`)
    process.exitCode = 1
  }
}
