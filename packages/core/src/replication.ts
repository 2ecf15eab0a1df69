/** Which images a rule of replication copies, and what they are called on the other side. */
import { globMatches } from './glob'

export interface ReplicationNames {
  /** Patterns; of the names where the images come from. */
  repositories: readonly string[]
  /** Patterns; none: all tags. */
  tags: readonly string[]
  /** Before the name where they go to; empty: none. */
  target: string
}

export const replicatesRepository = ({ repositories }: ReplicationNames, name: string): boolean =>
  repositories.some((pattern) => globMatches(pattern, name))

export const replicatesTag = ({ tags }: ReplicationNames, tag: string): boolean =>
  tags.length === 0 || tags.some((pattern) => globMatches(pattern, tag))

/** What a repository is called where it goes to. */
export const replicatedName = ({ target }: Pick<ReplicationNames, 'target'>, name: string): string =>
  target === '' ? name : `${target}/${name}`

/** What a repository that came here is called where it came from; undefined: it did not come so. */
export function nameAtSource(rule: ReplicationNames, name: string): string | undefined {
  const prefix = rule.target === '' ? '' : `${rule.target}/`
  if (!name.startsWith(prefix)) return undefined
  const source = name.slice(prefix.length)
  return replicatesRepository(rule, source) ? source : undefined
}

/** A pattern that names one repository only: it needs no catalog, which many registries have none of. */
export const isExactName = (pattern: string): boolean => !/[*?]/.test(pattern)
