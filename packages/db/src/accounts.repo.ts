import type { Tx } from './client'

export interface PasswordLogin {
  userId: string
  /** better-auth's scrypt hash. */
  passwordHash: string
}

/** The password of the account with this e-mail (stored in lower case), or null: unknown, or it has no password. */
export async function findPasswordLogin(db: Tx, email: string): Promise<PasswordLogin | null> {
  const account = await db.account.findFirst({
    where: { providerId: 'credential', user: { email: email.toLowerCase() }, password: { not: null } },
    select: { userId: true, password: true },
  })
  return account?.password ? { userId: account.userId, passwordHash: account.password } : null
}

/** The user's role in each of these organizations; those of which they are no member, or that do not exist, are missing. */
export async function rolesInOrganizations(db: Tx, userId: string, slugs: readonly string[]) {
  if (slugs.length === 0) return new Map<string, never>()
  const members = await db.member.findMany({
    where: { userId, organization: { slug: { in: [...slugs] } } },
    select: { role: true, organization: { select: { slug: true } } },
  })
  return new Map(members.map((m) => [m.organization.slug, m.role]))
}
