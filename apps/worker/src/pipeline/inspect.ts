/**
 * A look at a repository, before an app is made of it or where it has no Dockerfile.
 * Takes: an inspection id. Gives: the Dockerfiles it holds, and those that could be made, written to its row.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readTree } from '@slipway/context'
import { channels, type InspectionResult, inspectionResult } from '@slipway/contracts'
import { sshAddress, toAppError } from '@slipway/core'
import { claimInspection, finishInspection, heartbeatInspection, type InspectionRow, noteInspection, requeueInspection } from '@slipway/db'
import { detectAll, LOOKED_FOR, type Tree } from '@slipway/dockerfile/detect'
import type { Deps } from '../deps'
import { checkout } from './checkout'
import { CANCELED, deadlineOf, keepAlive } from './claim'
import { agentOfKey, sshIdentity } from './ssh'

export async function runInspection(deps: Deps, id: string, deadline: AbortSignal): Promise<void> {
  const row = await claimInspection(deps.db, id)
  if (!row) return
  const watch = keepAlive(deps, id, () => heartbeatInspection(deps.db, id), deadline)
  const directory = join(deps.env.SLIPWAY_DATA, 'checkouts', id)
  const tell = () => deps.signals.publish(channels.inspection(id))
  tell()
  try {
    const result = await look(deps, row, directory, watch.signal, tell)
    await finishInspection(deps.db, id, 'succeeded', { result })
  } catch (error) {
    if (watch.isStopping()) await requeueInspection(deps.db, id, new Date(Date.now() + 60_000))
    else await fail(deps, id, watch.signal.aborted ? watch.signal.reason : error)
  } finally {
    watch.end()
    await rm(directory, { recursive: true, force: true })
    tell()
  }
}

async function look(deps: Deps, row: InspectionRow, directory: string, signal: AbortSignal, tell: () => void): Promise<InspectionResult> {
  const say = (line: string) =>
    void noteInspection(deps.db, row.id, line)
      .then(tell)
      .catch((error) => deps.log.warn({ err: error }, 'could not write the progress of an inspection'))
  const owner = { kind: 'gitToken', organizationId: row.organizationId, id: row.id } as const
  const token = row.gitToken ? deps.sealer.open(row.gitToken, owner) : null
  say(`Fetching branch ${row.gitBranch}`)
  const source = { url: row.gitUrl, branch: row.gitBranch, token, sha: null }
  const ssh = sshAddress(row.gitUrl) ? sshIdentity(deps, row.organizationId, token === null ? null : agentOfKey(token)) : null
  const { directory: tree, commit } = await checkout(source, directory, signal, say, ssh)
  say(`Looking at commit ${commit.sha.slice(0, 7)}`)
  return inspect(await readTree(tree, signal), commit)
}

/** Bounded by its schema, which refuses more than a row should hold. */
export function inspect(tree: Tree, commit: { sha: string; message: string }): InspectionResult {
  const { apps, refused } = detectAll(tree)
  return inspectionResult.parse({
    commit: { sha: commit.sha, message: withoutNul(commit.message) },
    dockerfiles: dockerfilesOf(tree),
    apps: apps.map(({ keywords: _, ...app }) => app),
    refused,
    lookedFor: LOOKED_FOR,
  })
}

/** NUL is no text to Postgres. */
const withoutNul = (text: string) => text.replaceAll('\0', '\uFFFD')

/** `Dockerfile`, `Containerfile`, `Dockerfile.prod`, `web.Dockerfile`: the shallow ones first. */
function dockerfilesOf(tree: Tree): string[] {
  return [...tree.files]
    .filter(
      (path) =>
        /(?:^|\/)(?:(?:Dockerfile|Containerfile)(?:\.[\w-]{1,60})?|[\w.-]{1,60}\.Dockerfile)$/.test(path) &&
        !path.endsWith('.dockerignore') &&
        path.length <= 300,
    )
    .sort((a, b) => a.split('/').length - b.split('/').length || a.length - b.length || (a < b ? -1 : 1))
    .slice(0, 20)
}

async function fail(deps: Deps, id: string, cause: unknown): Promise<void> {
  if (cause === CANCELED) {
    await finishInspection(deps.db, id, 'canceled')
    return
  }
  const error = toAppError(
    deadlineOf(
      cause,
      'INSPECTION_TIMEOUT',
      'The repository could not be fetched within two minutes. It may be very large: the build has longer, and finds or makes a Dockerfile by itself.',
    ),
  )
  if (error.kind === 'internal') deps.log.error({ err: cause, inspectionId: id }, 'an inspection failed by a fault of ours')
  await finishInspection(deps.db, id, 'failed', { error: { code: error.code, message: error.message } })
}
