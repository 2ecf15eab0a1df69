/** Who asks. A person may what their roles say; a robot and a share link may what their own row says, whoever made them. */
import { type RegistryToken, type RobotGrant, robotGrants } from '@slipway/contracts'
import { type Db, findLiveRobot } from '@slipway/db'

export interface User {
  kind: 'user'
  userId: string
  /** Of the API key that was logged in with: false, it only reads. */
  writes: boolean
  /** Of the API key that was logged in with: slug of the one organization that it opens. */
  organization: string | null
}

export interface Robot {
  kind: 'robot'
  id: string
  /** Slug of its organization, outside of which it is nobody. */
  organization: string
  grants: readonly RobotGrant[]
}

export interface ShareLink {
  kind: 'share'
  id: string
  /** `<organization slug>/<repository>` */
  name: string
  digest: string
}

export type Principal = { kind: 'nobody' } | User | Robot | ShareLink

export const NOBODY: Principal = { kind: 'nobody' }

/** `sub` of the tokens that it gets. */
export function subjectOf(principal: Principal): string {
  switch (principal.kind) {
    case 'nobody':
      return ''
    case 'user':
      return principal.userId
    default:
      return `${principal.kind}:${principal.id}`
  }
}

interface RobotRow {
  id: string
  grants: unknown
  organization: { slug: string }
}

/** A row whose grants make no sense grants nothing. */
export const robotOf = ({ id, grants, organization }: RobotRow): Robot => {
  const parsed = robotGrants.safeParse(grants)
  return { kind: 'robot', id, organization: organization.slug, grants: parsed.success ? parsed.data : [] }
}

/** Behind a token that was already verified: who could ask for more than it says. Nobody for the system, whose tokens say all. */
export async function principalOf(db: Db, { sub, org }: RegistryToken): Promise<Principal> {
  const [kind = '', id] = sub.split(':')
  if (id === undefined) return sub === '' ? NOBODY : { kind: 'user', userId: sub, writes: true, organization: org ?? null }
  const robot = kind === 'robot' ? await findLiveRobot(db, id) : null
  return robot ? robotOf(robot) : NOBODY
}
