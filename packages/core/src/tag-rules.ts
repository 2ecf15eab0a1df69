/** Which tags stay what they are, and which only owners and admins touch: what a push, a delete and retention ask before they change a tag. */
import { globMatches } from './glob'

export interface TagRuleFacts {
  kind: 'immutable' | 'protected'
  /** Glob of the tags. */
  tags: string
  /** Whether builds of the installation may push a protected tag. */
  builds: boolean
  /** A rule of the organization, or of this repository alone. */
  ofOrganization: boolean
}

export interface TagChange {
  tag: string
  /** `set`: to another image than the one it names; `make`: there is none of this name yet. */
  deed: 'make' | 'set' | 'delete'
  /** `admin`: owners and admins; `build`: the worker, for an app. */
  by: 'admin' | 'build' | 'other'
}

/** The first rule that refuses the change; undefined when none does. Setting a tag to the image that it names already is no change. */
export function refusingRule<R extends TagRuleFacts>(rules: readonly R[], { tag, deed, by }: TagChange): R | undefined {
  return rules.find((rule) => {
    if (!globMatches(rule.tags, tag)) return false
    if (rule.kind === 'immutable') return deed !== 'make'
    return by !== 'admin' && !(by === 'build' && rule.builds && deed !== 'delete')
  })
}

/** For the person whose push or delete it was. `repository`: as `acme/api`. */
export function tagRefusal(rule: TagRuleFacts, { tag, deed }: Pick<TagChange, 'tag' | 'deed'>, repository: string): string {
  const [organization = ''] = repository.split('/')
  const whose = rule.ofOrganization ? `of ${organization}` : `of ${repository}`
  if (rule.kind === 'protected') {
    const verb = deed === 'delete' ? 'delete' : 'push'
    return `The tag ${tag} is protected by the rule "${rule.tags}" ${whose}: only its owners and admins may ${verb} it. Use another tag, or ask one of them.`
  }
  return deed === 'delete'
    ? `The tag ${tag} is immutable by the rule "${rule.tags}" ${whose} and cannot be deleted. Ask an owner or admin to remove the rule first.`
    : `The tag ${tag} is immutable by the rule "${rule.tags}" ${whose}: it exists and stays as it is. Push under another tag.`
}

/** Whether a rule keeps the tag from being cleaned away. */
export const keptByRule = <R extends TagRuleFacts>(rules: readonly R[], tag: string): R | undefined =>
  rules.find((rule) => globMatches(rule.tags, tag))
