import { hostnameTaken, type Tx } from '@slipway/db'

/** A DNS label has 63 characters. */
const LABEL = 63

/** `<app>.<base>`, then `<app>-<organization>.<base>`, then with a number; the unique index decides a race. */
export async function freeHostname(db: Tx, app: string, organization: string, baseDomain: string): Promise<string> {
  const label = (suffix: string) => `${app.slice(0, LABEL - suffix.length).replace(/-+$/, '')}${suffix}`
  const tail = `-${organization.slice(0, 30).replace(/-+$/, '')}`
  for (let n = 0; ; n++) {
    const hostname = `${n === 0 ? label('') : label(n === 1 ? tail : `${tail}-${n}`)}.${baseDomain}`
    if (!(await hostnameTaken(db, hostname))) return hostname
  }
}
