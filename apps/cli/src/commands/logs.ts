import type { views } from '@slipway/contracts'
import { type Command, InvalidArgumentError } from 'commander'
import { follow } from '../client'
import { plain } from '../output'
import type { Action } from '../program'

/** Without -f: what is there comes at once; a pause this long means that it was all. */
const IDLE_MS = 1000

const lines = (text: string): number => {
  if (!/^\d{1,4}$/.test(text) || Number(text) > 5000) throw new InvalidArgumentError('It must be a number from 0 to 5000.')
  return Number(text)
}

export function logsCommand(program: Command, action: Action): void {
  program
    .command('logs <app>')
    .description("show the log of an app's containers")
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('-n, --tail <lines>', 'how many lines from before', lines, 200)
    .option('-t, --timestamps', 'with the time of each line')
    .action(
      action(async (session, options: { follow?: boolean; tail: number; timestamps?: boolean }, app: string) => {
        const { url, client } = await session.connect()
        const org = await session.org()
        const { serving } = await client.apps.get.query({ org, app })
        const names = new Set(serving?.containers.map((c) => c.name))
        const done = new AbortController()
        const signal = AbortSignal.any([session.signal, done.signal])
        let idle: NodeJS.Timeout | undefined
        const rest = () => {
          clearTimeout(idle)
          if (!options.follow) idle = setTimeout(() => done.abort(), IDLE_MS)
        }
        const print = (line: views.LogLineView) => {
          // One JSON object a line: a program can read it while it comes.
          if (session.wantsJson) return session.io.out(`${JSON.stringify(line)}\n`)
          names.add(line.container)
          const { dim } = session.colors
          const time = options.timestamps ? `${dim(line.at.toISOString())} ` : ''
          const who = names.size > 1 ? `${dim(plain(line.container))} ` : ''
          session.io.out(`${time}${who}${plain(line.text)}\n`)
        }
        rest()
        try {
          await follow<{ data: views.LogLineView[] }>(
            url,
            (subscriber) => client.apps.logs.subscribe({ org, app, tail: options.tail }, subscriber),
            ({ data }) => {
              for (const line of data) print(line)
              rest()
              return undefined
            },
            signal,
          )
        } finally {
          clearTimeout(idle)
        }
      }),
    )
}
