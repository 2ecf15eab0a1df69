/** Git over SSH in a build, from end to end: by ADD in the worker, by git in a step; and the key is nowhere. */
import { execFileSync } from 'node:child_process'
import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAgent } from '@slipway/agent-client'
import { startGitServer, startSshServer } from '@slipway/testing'
import { loadImages } from '@slipway/testing/load-images'
import ssh2 from 'ssh2'
import { expect, it, onTestFinished } from 'vitest'
import { giveContexts } from '../../../apps/worker/src/pipeline/context'
import { plan } from '../../../apps/worker/src/pipeline/plan'
import { agentOfKey } from '../../../apps/worker/src/pipeline/ssh'
import { startAgent } from './agent'
import { baseArchive } from './base'
import { takeAlong } from './take-along'
import { startWorkerDeps } from './worker'

function holding(folder: string, lines: string[]): string[] {
  const paths = execFileSync('find', [folder, '-ignore_readdir_race', '-type', 'f', '-print0'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
    .split('\0')
    .filter(Boolean)
  return paths.filter((path) => {
    try {
      const text = readFileSync(path, 'latin1')
      return lines.some((line) => text.includes(line))
    } catch {
      return false // the engine is cleaning up meanwhile
    }
  })
}

it('clones in a step and fetches by ADD with the same key, which is found nowhere afterwards', async () => {
  const folder = mkdtempSync('/var/tmp/sw-ssh-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const git = await startGitServer()
  onTestFinished(() => git.stop())
  const sha = git.commit('lib', 'First', { 'pkg/a.txt': 'of git over ssh\n' })
  const started = await startAgent(folder)
  onTestFinished(() => started.stop())
  await loadImages(started.socketPath, createReadStream(await baseArchive(folder)))
  const worker = await startWorkerDeps()
  onTestFinished(() => worker.stop())
  const agent = createAgent({ socketPath: started.socketPath })
  const gateway = (await agent.health()).bridge?.subnet.replace(/\d+\/\d+$/, '1') ?? ''
  const sshd = await startSshServer(gateway)
  onTestFinished(() => sshd.stop())
  const pair = ssh2.utils.generateKeyPairSync('ed25519')
  sshd.allow([pair.public])

  const directory = join(folder, 'tree')
  takeAlong(['/usr/bin/git', '/usr/bin/ssh', '/usr/bin/ssh-add'], join(directory, 'tools'))
  const address = `ssh://root@${gateway}:${sshd.port}${git.worktree('lib')}`
  const trust = 'GIT_SSH_COMMAND="ssh -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/tmp/known"'
  writeFileSync(
    join(directory, 'Dockerfile'),
    [
      'FROM base',
      'COPY tools /',
      `ADD ${address}#main:pkg /added/`,
      `RUN --mount=type=ssh,required mkdir -p /tmp && ssh-add -l && ${trust} git clone -q ${address} /cloned && rm -r /tmp`,
      'RUN cat /added/a.txt /cloned/pkg/a.txt; test -z "$SSH_AUTH_SOCK" && test ! -e /run/buildkit && echo alone',
      '',
    ].join('\n'),
  )
  const signal = AbortSignal.timeout(120_000)
  const source = {
    ...{ organization: 'ssh', directory, contextPath: '.', dockerfilePath: 'Dockerfile', kept: null, target: null },
    ...{ platforms: [], buildArgs: {}, scratch: join(folder, 'scratch') },
    ssh: { agent: agentOfKey(pair.private), runDir: join(folder, 'run'), known: async () => [], learn: async () => undefined },
  }
  const planned = await plan(
    worker.of(agent),
    source,
    signal,
    () => undefined,
    async () => undefined,
  )
  expect(planned.gitContexts).toEqual([{ name: 'git', url: address, ref: 'main', sha }])
  const given = await giveContexts(agent, 'ssh', planned.sent, signal)
  const request = { id: 'one', scope: 'ssh', plan: planned.plan, tags: ['shop:1'], ...given }
  let told = ''
  for await (const event of agent.build(request, signal, {}, undefined, { default: agentOfKey(pair.private) }))
    told += `${JSON.stringify(event)}\n`
  expect(told).toContain('"type":"result"')
  expect(told).toMatch(/256 SHA256:\S+.*\(ED25519\)/)
  expect(told).toContain('of git over ssh\\nof git over ssh\\nalone')

  const lines = pair.private.split('\n').filter((line) => line.length > 40 && !line.startsWith('-'))
  const secret = lines.slice(-2)
  expect(secret).toHaveLength(2)
  expect(secret.filter((line) => told.includes(line))).toEqual([])
  expect(holding(folder, secret)).toEqual([])
}, 240_000)
