/**
 * What is read of a pull request (GitHub, Gitea, Forgejo) or a merge request (GitLab). Never an address: its commit is fetched from the
 * app's own repository, where the Git server keeps it under a name made of the number.
 */
import * as z from 'zod'
import { commitId, line } from './text'
import type { Provider } from './verify'

export interface PullRequest {
  number: number
  title: string
  /** What the Git server keeps its newest commit under: `refs/pull/12/head`. */
  ref: string
  sha: string
  /** Its own branch, and the one it is to be merged into. */
  head: string
  base: string
  /** Whoever wrote it need not be allowed to push to the app's repository. True whenever that is not certain. */
  fromFork: boolean
  author: string | null
}

export type ParsedPullRequest =
  | { kind: 'pull-request'; change: 'commits' | 'closed'; pullRequest: PullRequest }
  | { kind: 'ignored'; reason: string }
  | { kind: 'malformed'; reason: string }

/** As Postgres counts. */
const number = z.number().int().positive().max(2_147_483_647)
const action = z.string().max(100).nullish()
/** The repository was deleted, or says nothing that could be compared. */
const repository = z.object({ id: number }).nullish().catch(null)

const pullRequestEvent = z.object({
  action,
  pull_request: z.object({
    number,
    title: line(300),
    user: z.object({ login: line(200).nullish() }).nullish(),
    // Gitea and Forgejo: empty where no branch is behind it.
    head: z.object({ ref: z.string().max(1000), label: z.string().nullish(), sha: commitId, repo: repository }),
    base: z.object({ ref: z.string().max(1000), repo: repository }),
  }),
})
const project = number.nullish().catch(null)
const mergeRequestEvent = z.object({
  user: z.object({ name: line(200).nullish() }).nullish(),
  object_attributes: z.object({
    iid: number,
    title: line(300),
    action,
    // Of an update: there only when it has new commits.
    oldrev: z.string().nullish(),
    source_branch: z.string().max(1000),
    target_branch: z.string().max(1000),
    source_project_id: project,
    target_project_id: project,
    last_commit: z.object({ id: commitId }),
  }),
})

/** `pull_request_sync` is what Gitea calls the event of new commits in the webhook's settings. */
const EVENTS: Record<Provider, readonly string[]> = {
  github: ['pull_request'],
  gitea: ['pull_request', 'pull_request_sync'],
  gitlab: ['merge request hook'],
}
export const isPullRequestEvent = (provider: Provider, event: string) => EVENTS[provider].includes(event.toLowerCase())

export const parsePullRequest = (provider: Provider, json: unknown): ParsedPullRequest =>
  provider === 'gitlab' ? ofGitLab(json) : ofOthers(json)

const CHANGES: Record<string, 'commits' | 'closed'> = {
  opened: 'commits',
  reopened: 'commits',
  synchronize: 'commits',
  synchronized: 'commits',
  closed: 'closed',
}

function ofOthers(json: unknown): ParsedPullRequest {
  const payload = pullRequestEvent.safeParse(json)
  if (!payload.success)
    return { kind: 'malformed', reason: 'The body is no pull request event: its number, commit or branches are missing.' }
  const { action, pull_request } = payload.data
  const { head, base, title, user } = pull_request
  const change = Object.hasOwn(CHANGES, action ?? '') ? CHANGES[action ?? ''] : undefined
  if (!change) return { kind: 'ignored', reason: nothingNew('pull request', pull_request.number, action) }
  // With `git push origin HEAD:refs/for/main`, Gitea and Forgejo let anyone who may read propose commits without a fork. Those have
  // no branch, and are said to come from the repository itself.
  const branchless = head.label === '' || head.ref.startsWith('refs/')
  const fromFork = branchless || !head.repo || !base.repo || head.repo.id !== base.repo.id
  return {
    kind: 'pull-request',
    change,
    pullRequest: {
      number: pull_request.number,
      title,
      ref: `refs/pull/${pull_request.number}/head`,
      sha: head.sha,
      head: shown(head.ref),
      base: base.ref,
      fromFork,
      author: user?.login ?? null,
    },
  }
}

function ofGitLab(json: unknown): ParsedPullRequest {
  const payload = mergeRequestEvent.safeParse(json)
  if (!payload.success)
    return { kind: 'malformed', reason: 'The body is no merge request event: its number, commit or branches are missing.' }
  const { user, object_attributes: of } = payload.data
  const commits = of.action === 'open' || of.action === 'reopen' || (of.action === 'update' && !!of.oldrev)
  const closed = of.action === 'close' || of.action === 'merge'
  if (!commits && !closed) return { kind: 'ignored', reason: nothingNew('merge request', of.iid, of.action) }
  return {
    kind: 'pull-request',
    change: closed ? 'closed' : 'commits',
    pullRequest: {
      number: of.iid,
      title: of.title,
      ref: `refs/merge-requests/${of.iid}/head`,
      sha: of.last_commit.id,
      head: shown(of.source_branch),
      base: of.target_branch,
      fromFork: !of.source_project_id || of.source_project_id !== of.target_project_id,
      author: user?.name ?? null,
    },
  }
}

const shown = (branch: string) => line(255).parse(branch)

const nothingNew = (what: string, number: number, action: string | null | undefined) =>
  `Only new commits of a ${what} are built; #${number} was “${(action || 'changed').slice(0, 60)}”.`
