/** Our engine by itself, for builds. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgent } from '@slipway/agent-client'
import { agentDaemon, CLEAN_PATH } from '../docker/daemons'

/** With its data in `folder`; `stop` ends it with all that it made outside of the folder. */
export async function startAgent(folder: string): Promise<{ socketPath: string; stop(): Promise<void> }> {
  const [dataRoot, socketPath] = [join(folder, 'agent'), join(folder, 'agent.sock')]
  const daemon = agentDaemon({ dataRoot, socket: socketPath })
  // The Git servers of these tests are on this machine.
  const inside = ['127.0.0.1', '10.0.0.0/8'].flatMap((place) => ['--download-inside', place])
  const child = spawn(daemon.argv[0] ?? '', [...daemon.argv.slice(1), ...inside], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: CLEAN_PATH, RUST_LOG: 'warn' },
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-8192)
  })
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((done) => child.once('exit', done))
      child.kill('SIGINT')
      await gone
    }
    daemon.down()
  }
  const agent = createAgent({ socketPath })
  for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
    try {
      await agent.health()
      return { socketPath, stop }
    } catch {
      if (child.exitCode === null && Date.now() < deadline) continue
      await stop()
      throw new Error(`the agent did not come up:\n${log}`)
    }
  }
}
