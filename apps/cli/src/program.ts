import { Command, CommanderError } from 'commander'
import type { CliEnv } from './env'
import { type CliError, EXIT, toCliError } from './errors'
import { type Io, json, palette, plain } from './output'
import { type GlobalOptions, Session } from './session'

type Register = (program: Command, action: Action) => void

/**
 * Which words each file of `commands/` answers, in the order of the help. Only the one that is asked for is loaded: reading all of them
 * takes longer than most commands.
 */
export const GROUPS: readonly { words: readonly string[]; load: () => Promise<Register> }[] = [
  { words: ['login', 'logout', 'whoami'], load: async () => (await import('./commands/login')).loginCommands },
  { words: ['projects'], load: async () => (await import('./commands/projects')).projectCommands },
  { words: ['apps'], load: async () => (await import('./commands/apps')).appCommands },
  { words: ['build'], load: async () => (await import('./commands/build')).buildCommand },
  { words: ['deploy', 'rollback'], load: async () => (await import('./commands/deploy')).deployCommands },
  { words: ['builds', 'deployments', 'ps', 'open', 'status'], load: async () => (await import('./commands/lists')).listCommands },
  { words: ['logs'], load: async () => (await import('./commands/logs')).logsCommand },
  { words: ['lint'], load: async () => (await import('./commands/lint')).lintCommand },
  { words: ['registry'], load: async () => (await import('./commands/registry')).registryCommands },
  { words: ['image'], load: async () => (await import('./commands/image')).imageCommands },
]

/** All of them for anything but a command that is surely meant: help, and what to suggest for a word that is none. */
async function commandsFor(argv: readonly string[]): Promise<Register[]> {
  const meant = GROUPS.filter(({ words }) => words.includes(argv[0] ?? ''))
  return Promise.all((meant.length > 0 ? meant : GROUPS).map(({ load }) => load()))
}

/** Makes a commander handler of `(session, options, ...arguments)`. */
export type Action = <O extends object, A extends unknown[]>(
  run: (session: Session, options: O, ...args: A) => Promise<void> | void,
) => (...given: unknown[]) => Promise<void>

const EXIT_CODES = `
Exit codes: 0 done · 1 the build or deployment failed · 2 wrong usage · 3 not signed in or not allowed · 4 not found ·
            5 server unreachable · 6 refused by the server · 7 --timeout is over · 70 internal error · 130 interrupted
Environment: SLIPWAY_URL, SLIPWAY_API_KEY, SLIPWAY_ORG instead of the saved sign-in; NO_COLOR`

/** The whole command line. Returns the exit code; throws nothing. */
export async function run(argv: readonly string[], io: Io, env: CliEnv, version: string, signal: AbortSignal): Promise<number> {
  const program = new Command('slipway')
  let session: Session | null = null
  const action: Action = (handle) =>
    async function (this: unknown, ...given: unknown[]) {
      // commander: arguments, then options, then the command itself.
      const command = given.at(-1) as Command
      const options = given.at(-2)
      const args = given.slice(0, -2)
      session = new Session(io, env, command.optsWithGlobals<GlobalOptions>(), signal)
      await (handle as (session: Session, options: unknown, ...args: unknown[]) => Promise<void> | void)(session, options, ...args)
    }
  program
    .description('Build, deploy and look after apps on a Slipway server.')
    .version(version)
    .option('--json', 'answer in JSON')
    .option('--url <address>', 'address of the server')
    .option('--org <slug>', 'organization')
    .option('--no-color', 'no colours')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(add --help to see what there is)')
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .exitOverride()
  for (const register of await commandsFor(argv)) register(program, action)

  try {
    await program.parseAsync(argv, { from: 'user' })
    return EXIT.ok
  } catch (error) {
    // commander has printed it already; --help and --version come this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    const used = session as Session | null
    const url = used ? await used.url().catch(() => '') : ''
    return report(toCliError(error, url), io, env, used?.wantsJson ?? false)
  }
}

function report(error: CliError, io: Io, env: CliEnv, wantsJson: boolean): number {
  const colors = palette(io.isTty && !env.noColor)
  if (wantsJson) io.err(json({ error: { code: error.code, message: error.message, hint: error.hint ?? null, exitCode: error.exitCode } }))
  else io.err(`${colors.bad(plain(error.message))}\n${error.hint ? `${plain(error.hint)}\n` : ''}`)
  return error.exitCode
}
