/** Which texts name a Git repository: BuildKit's rules (`ParseGitRef`), with its fragment and its query. */
import { sshAddress } from '@slipway/core'

export interface GitSource {
  /** Without fragment, query and credentials' place in them: what git is given. */
  url: string
  /** Branch, tag or commit; '' is the server's HEAD. */
  ref: string
  /** A folder of the repository, without slashes around it; '' is all of it. */
  subdir: string
  /** The commit it must be, or the beginning of it. */
  checksum: string | null
  /** As the query says; null: it says nothing. */
  keepGitDir: boolean | null
  /** Said only when they are to be left out. */
  submodules?: false
}

/** Why a text that does name a repository cannot be used. */
export class GitSourceError extends Error {}

/** null: no Git repository (an archive or file behind a URL, a path, an image). */
export function gitSource(text: string): GitSource | null {
  if (text.length > 2000) return null
  const scp = /^[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:[^?#]*/.exec(text)?.[0]
  const remote = scp ?? (text.startsWith('github.com/') ? `https://${text}` : text)
  const scheme = /^([A-Za-z0-9]+):\/\//.exec(remote)?.[1]?.toLowerCase()
  if (!scp && !['http', 'https', 'git', 'ssh'].includes(scheme ?? '')) return null
  const hash = remote.indexOf('#')
  const beforeHash = hash === -1 ? remote : remote.slice(0, hash)
  const mark = beforeHash.indexOf('?')
  const url = scp ?? (mark === -1 ? beforeHash : beforeHash.slice(0, mark))
  // Of the web's addresses, only those that end like a repository are one; the rest are files to download.
  if ((scheme === 'http' || scheme === 'https') && !text.startsWith('github.com/') && !url.endsWith('.git')) return null
  const tail = scp ? text.slice(scp.length) : remote.slice(url.length)
  const [query = '', fragment = ''] = tail.split(/#(.*)/s)
  const source: GitSource = { url, ref: '', subdir: '', checksum: null, keepGitDir: null }
  const colon = fragment.indexOf(':')
  source.ref = colon === -1 ? fragment : fragment.slice(0, colon)
  source.subdir = colon === -1 ? '' : fragment.slice(colon + 1)
  readQuery(source, query.replace(/^\?/, ''))
  source.subdir = source.subdir.replace(/^\/+|\/+$/g, '')
  check(source)
  return source
}

function readQuery(source: GitSource, query: string): void {
  if (query === '') return
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (seen.has(name)) throw new GitSourceError(`The address says ${name.slice(0, 40)} twice.`)
    seen.add(name)
    const set = (field: 'ref' | 'subdir' | 'checksum', given: string) => {
      if (given === '') throw new GitSourceError(`The address gives ${name} no value.`)
      if (source[field] && source[field] !== given) throw new GitSourceError(`The address names two values for ${field}.`)
      source[field] = given
    }
    if (name === 'ref') set('ref', value)
    else if (name === 'branch') set('ref', `refs/heads/${value}`)
    else if (name === 'tag') set('ref', `refs/tags/${value}`)
    else if (name === 'subdir') set('subdir', value)
    else if (name === 'checksum' || name === 'commit') set('checksum', value)
    else if (name === 'keep-git-dir' && /^(?:true|false|1|0|)$/.test(value)) source.keepGitDir = value !== 'false' && value !== '0'
    else if (name === 'submodules' && /^(?:true|false|1|0|)$/.test(value)) {
      if (value === 'false' || value === '0') source.submodules = false
    } else throw new GitSourceError(`The part ${name.slice(0, 40)} of a Git address's query is not supported.`)
  }
}

function checkWeb(url: string): void {
  const password = new GitSourceError('A Git address with a password in it would end up in the image. Leave it out.')
  if (/^ssh:\/\/[^/]*:[^/]*@/i.test(url)) throw password
  if (!/^https?:\/\//i.test(url)) throw new GitSourceError(`Builds read Git repositories over https or SSH, not from ${url.slice(0, 120)}.`)
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new GitSourceError(`"${url.slice(0, 120)}" is no address.`)
  }
  if (parsed.username || parsed.password) throw password
}

/** What git would take for something else than a name is no name. */
function check(source: GitSource): void {
  const { url, ref, subdir, checksum } = source
  if (!sshAddress(url)) checkWeb(url)
  if (ref !== '' && (ref.length > 250 || !/^[A-Za-z0-9][A-Za-z0-9._/+@-]*$/.test(ref) || /\.\.|\/\/|\.lock$|\/$/.test(ref)))
    throw new GitSourceError(`"${ref.slice(0, 80)}" is no branch, tag or commit.`)
  if (subdir.includes('\0') || subdir.length > 1000 || subdir.split('/').includes('..'))
    throw new GitSourceError(`"${subdir.slice(0, 80)}" is no folder of a repository.`)
  if (checksum !== null && !/^[0-9a-f]{7,64}$/.test(checksum))
    throw new GitSourceError(`"${checksum.slice(0, 80)}" is no commit: write 40 hex digits, or at least the first 7.`)
}
