/**
 * Takes: the plan of a fork's pull request, which may be anybody's code. Gives: what its log says of what it does not get.
 * It has no secrets, no SSH agents, public images only (`images.ts`), and the cache to read (`shared-cache.ts`).
 */
import { AppError } from '@slipway/core'
import type { Planned } from './plan'

/** Throws FORK_NOT_TRUSTED for a step that asks for more than a container has, whatever this host allows others. */
export function withoutTrust({ plan, file }: Pick<Planned, 'plan' | 'file'>): string[] {
  const lines = ['The pull request comes from a fork: its steps read the build cache, write nothing to it, and get no secrets.']
  for (const { op, line } of plan.vertices) {
    if (op.type !== 'exec') continue
    if (op.insecure || op.network === 'host')
      throw new AppError({
        kind: 'bad-input',
        code: 'FORK_NOT_TRUSTED',
        message: `${file}:${line} asks for ${op.insecure ? 'a privileged step' : 'the network of the host'}, which a pull request from a fork does not get. Build it from a branch of the repository.`,
        details: { file, line },
      })
    for (const mount of op.mounts ?? []) {
      if (mount.type === 'secret') lines.push(`${file}:${line} gets no secret “${mount.id}”: the pull request comes from a fork.`)
      if (mount.type === 'ssh') lines.push(`${file}:${line} gets no SSH agent “${mount.id}”: the pull request comes from a fork.`)
    }
  }
  return lines
}
