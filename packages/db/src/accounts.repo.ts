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
