/**
 * Takes: a build. Gives: where its files are — a checkout of its repository, or what a client uploaded — and what becomes of its image.
 */
import { join } from 'node:path'
import { inputs, keptDockerfile } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { BuildRunRow, Prisma } from '@slipway/db'
import { createIgnoreMatcher } from '@slipway/dockerfile'
import { uploadOptions } from '@slipway/services'
import { checkout } from './checkout'
import type { Form } from './output'
import type { PlanSource } from './plan'
import type { BuiltFrom } from './provenance'
import { branchTag } from './publish'
import type { SshIdentity } from './ssh'

export interface BuildSource {
  files: Omit<PlanSource, 'organization' | 'buildArgs' | 'secrets' | 'ssh'>
  /** A checkout, or a context that was uploaded before. */
  from: BuiltFrom['source']
  /** The image's second tag, beside `build-<number>`. */
  tag: string
  /** Whether the image goes to the registry. */
  publishes: boolean
  /** What a client said of the image; null: as the app's settings say. */
  form: Form
}

export async function sourceOf(
  build: BuildRunRow,
  { gitToken, ssh }: { gitToken: string | null; ssh: SshIdentity },
  directory: string,
  signal: AbortSignal,
  say: (line: string) => void,
  note: (facts: Prisma.BuildUncheckedUpdateManyInput) => void,
): Promise<BuildSource> {
  const { app } = build
  const upload = uploadOptions(build)
  const scratch = join(directory, 'contexts')
  if (upload) {
    say(`Files uploaded by ${build.actorLabel}`)
    note({ phase: 'plan' })
    const { dockerfilePath, target, ignore, tree, tag, push, origin } = upload
    const uploaded = { text: build.dockerfile ?? '', ignore: createIgnoreMatcher(ignore), origin }
    const files = {
      directory,
      contextPath: '.',
      dockerfilePath,
      kept: null,
      target,
      platforms: upload.platforms ?? app.platforms,
      ...contextsOf(upload.contexts),
      uploaded,
      scratch,
    }
    return { files, from: { kind: 'upload', tree, dockerfilePath, target }, tag, publishes: push, form: upload.form }
  }
  if (!app.gitUrl || !app.gitBranch)
    throw new AppError({
      kind: 'bad-input',
      code: 'NO_REPOSITORY',
      message: 'The app has no repository to build from. Set one in its settings.',
    })
  const { pullRequestRef: ref, fromFork } = build
  say(`Fetching ${ref === null ? `branch ${app.gitBranch}` : `${ref}${fromFork ? ', from a fork,' : ''}`} of ${app.gitUrl}`)
  const source = {
    url: app.gitUrl,
    branch: app.gitBranch,
    token: gitToken,
    sha: build.commitSha,
    ...(ref !== null && { pullRequest: { ref, fromFork } }),
  }
  const tree = await checkout(source, directory, signal, say, ssh)
  const { commit } = tree
  say(`At ${commit.sha.slice(0, 7)} ${commit.message}`)
  note({
    phase: 'plan',
    ...(ref === null && { branch: app.gitBranch }),
    commitSha: commit.sha,
    commitMessage: commit.message,
    commitAuthor: commit.author,
    commitAt: commit.at,
  })
  const { contextPath, dockerfilePath, target, platforms } = app
  const kept = keptDockerfile.safeParse(app.keptDockerfile).data ?? null
  const namedContexts = Object.fromEntries(inputs.namedContexts.parse(app.namedContexts).map(({ name, value }) => [name, value]))
  return {
    files: { directory: tree.directory, contextPath, dockerfilePath, kept, target, platforms, namedContexts, scratch },
    from: { kind: 'git', url: app.gitUrl, branch: app.gitBranch, commit },
    tag: branchTag(app.gitBranch),
    publishes: ref === null,
    form: null,
  }
}

/** Those that were uploaded, and those that are found elsewhere. */
function contextsOf(given: NonNullable<ReturnType<typeof uploadOptions>>['contexts']): Pick<PlanSource, 'trees' | 'namedContexts'> {
  const trees: Record<string, string> = {}
  const namedContexts: Record<string, string> = {}
  for (const [name, context] of Object.entries(given)) {
    if ('tree' in context) trees[name] = context.tree
    else namedContexts[name] = context.value
  }
  return { trees, namedContexts }
}
