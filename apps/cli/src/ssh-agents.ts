/**
 * `--ssh`: the SSH agents that this machine answers for while a build runs on the server. What a step asks comes here, and the answer goes
 * back; keys stay where they are. Only two questions are answered: which keys there are, and for a signature.
 */
import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { SshRequest } from '@slipway/contracts'
import {
  answerSafely,
  failure,
  type KeyProblem,
  keysAgent,
  readPrivateKey,
  type SshAgent,
  type SshKey,
  socketAgent,
} from '@slipway/outbound/ssh'
import { usage } from './errors'
import { plain } from './output'
import type { Session } from './session'

const MAX_KEY = 20_000
/** Where OpenSSH looks, too. */
const USUAL = ['id_ed25519', 'id_ecdsa', 'id_rsa']
const PROBLEMS: Record<KeyProblem, string> = {
  unreadable: 'is no private key',
  passphrase: 'has a passphrase',
  kind: 'is none of Ed25519, RSA and ECDSA',
  short: 'has less than 2048 bits, or more than 16384',
}
/** Answers that are kept for who asks again. */
const KEPT = 64

/**
 * As docker: `--ssh default` is the agent at SSH_AUTH_SOCK, `--ssh git=<socket>` another one, `--ssh git=<file>,<file>` the keys of files.
 * `--ssh default` without an agent: the keys at OpenSSH's usual places.
 */
export async function sshAgents(session: Session, given: readonly string[]): Promise<Map<string, SshAgent>> {
  const agents = new Map<string, SshAgent>()
  for (const text of given) {
    const equals = text.indexOf('=')
    const id = equals < 0 ? text : text.slice(0, equals)
    const paths = equals < 0 ? [] : text.slice(equals + 1).split(',')
    if (!/^[\w.-]{1,200}$/.test(id) || paths.includes(''))
      throw usage(
        'A --ssh is not written as it must be.',
        'Write --ssh default, --ssh <id>=<socket of an agent> or --ssh <id>=<key file>[,<key file>].',
      )
    if (agents.has(id)) throw usage(`The SSH agent ${id} is given twice.`)
    agents.set(id, paths.length === 0 ? await usualAgent(session, id) : await agentAt(session, id, paths))
  }
  return agents
}

async function usualAgent(session: Session, id: string): Promise<SshAgent> {
  const socket = session.env.variable('SSH_AUTH_SOCK')
  if (socket) return agentAt(session, id, [socket])
  const folder = join(session.env.variable('HOME') ?? homedir(), '.ssh')
  const there = await Promise.all(
    USUAL.map(async (name) => ((await stat(join(folder, name)).catch(() => null))?.isFile() ? [join(folder, name)] : [])),
  )
  const files = there.flat()
  if (files.length === 0)
    throw usage(
      `--ssh ${id}: SSH_AUTH_SOCK names no agent, and there is no key in ${plain(folder)}.`,
      'Start ssh-agent and add a key with ssh-add, or name the file of one: --ssh default=<file>.',
    )
  return agentAt(session, id, files)
}

async function agentAt(session: Session, id: string, paths: readonly string[]): Promise<SshAgent> {
  const keys: SshKey[] = []
  for (const given of paths) {
    const path = given.replace(/^~(?=\/)/, session.env.variable('HOME') ?? homedir())
    const shown = plain(path).slice(0, 200)
    const found = await stat(path).catch(() => null)
    if (found?.isSocket()) {
      if (paths.length > 1) throw usage(`--ssh ${id}: an agent stands alone; ${shown} is the socket of one.`)
      return socketAgent(path)
    }
    if (!found?.isFile())
      throw usage(`--ssh ${id}: there is no file ${shown}.`, 'Name the socket of an agent, or the file of a private key.')
    const read = found.size > MAX_KEY ? { problem: 'unreadable' as const } : readPrivateKey(await readFile(path, 'utf8'))
    if ('problem' in read)
      throw usage(
        `--ssh ${id}: ${shown} ${PROBLEMS[read.problem]}.`,
        read.problem === 'passphrase'
          ? 'Add it to an agent with ssh-add, and use --ssh default.'
          : 'Make a key with ssh-keygen -t ed25519.',
      )
    keys.push(read.key)
  }
  return keysAgent(keys)
}

/** Answers until `end`; the server ends it with the build. */
export async function answerFor(
  session: Session,
  target: { org: string; app: string; number: number },
  agents: ReadonlyMap<string, SshAgent>,
): Promise<{ end(): void }> {
  const client = await session.client()
  /** Null: being asked. The server asks again for what it has no answer to. */
  const answers = new Map<string, Buffer | null>()
  const send = (ask: string, message: Buffer) =>
    client.builds.sshAnswer.mutate({ ...target, ask, message: message.toString('base64') }).catch(() => undefined)
  const onData = async ({ ask, id, message }: SshRequest) => {
    const known = answers.get(ask)
    if (known === null) return
    if (known) return void send(ask, known)
    answers.set(ask, null)
    const agent = agents.get(id)
    const answer = agent ? await answerSafely(agent, Buffer.from(message, 'base64')) : failure()
    answers.set(ask, answer)
    for (const [oldest] of answers) {
      if (answers.size <= KEPT) break
      answers.delete(oldest)
    }
    await send(ask, answer)
  }
  const subscription = client.builds.sshRequests.subscribe(target, {
    onData: (request) => void onData(request),
    onError: (error) => session.note(`Steps cannot ask the SSH agent of this machine: ${plain(error.message)}`),
  })
  return { end: () => subscription.unsubscribe() }
}
