/** Where a repository is reached over SSH. */
export interface SshAddress {
  /** null: not said. */
  user: string | null
  /** A name, an IPv4 address, or an IPv6 address without its brackets; in small letters. */
  host: string
  port: number
}

const USER = '[A-Za-z0-9_][A-Za-z0-9._-]{0,63}'
const NAME = '[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?'
// What would be an option to git, ssh or the program at the other end begins with a dash.
const SCP = new RegExp(`^(${USER})@(${NAME}):(?![-/]{2})([^\\s\\p{Cc}-][^\\s\\p{Cc}]*)$`, 'u')
const URL_FORM = new RegExp(`^ssh://(?:(${USER})@)?(${NAME}|\\[[0-9a-fA-F:.]{2,45}\\])(?::(\\d{1,5}))?/[^\\s\\p{Cc}]+$`, 'u')

/** `git@host:org/repo.git` or `ssh://git@host:2222/org/repo.git`; null: neither, or one with a password. */
export function sshAddress(text: string): SshAddress | null {
  const scp = SCP.exec(text)
  if (scp) return { user: scp[1] ?? null, host: (scp[2] ?? '').toLowerCase(), port: 22 }
  const url = URL_FORM.exec(text)
  if (!url) return null
  const port = url[3] === undefined ? 22 : Number(url[3])
  if (port < 1 || port > 65_535) return null
  return { user: url[1] ?? null, host: (url[2] ?? '').replace(/^\[|\]$/g, '').toLowerCase(), port }
}

/** As known_hosts writes it. */
export const knownHostName = ({ host, port }: SshAddress) => (port === 22 ? host : `[${host}]:${port}`)
