/** Named contexts (`--build-context name=…`): they win over stages and images of that name, as in BuildKit. */
import { type GitSource, GitSourceError, gitSource } from './remote'

/** `local`: the caller has the files. */
export type NamedContext = { kind: 'local' } | { kind: 'image'; reference: string } | { kind: 'git'; url: string }

/**
 * The value of `--build-context name=<value>`, as buildx reads it: `docker-image://ref`, a Git repository's address, or a folder.
 * null: something that is no context here (`oci-layout://`, `target:`, an archive behind a URL, nothing).
 */
export function readContextValue(value: string): NamedContext | { kind: 'local'; path: string } | null {
  const image = /^docker-image:\/\/(.+)$/.exec(value)?.[1]
  if (image !== undefined) return { kind: 'image', reference: image }
  if (value === '' || value.length > 2000 || value.includes('\0') || value.startsWith('target:')) return null
  try {
    if (gitSource(value)) return { kind: 'git', url: value }
  } catch (error) {
    if (error instanceof GitSourceError) return null
    throw error
  }
  return /^[A-Za-z0-9+.-]+:\/\//.test(value) ? null : { kind: 'local', path: value }
}

/** What a context's files are: `named` ones are the caller's own, by the name it gave them. */
export type ContextSource = { kind: 'named'; name: string } | ({ kind: 'git'; keepGitDir: boolean } & Omit<GitSource, 'keepGitDir'>)

/** What the caller has to send beneath `contexts/<name>/`. */
export interface PlannedContext {
  name: string
  source: ContextSource
}

/** As written by people: `alpine`, `alpine:latest` and `docker.io/library/alpine` are one name. */
export const contextName = (name: string): string =>
  name
    .replace(/^(?:index\.)?docker\.io\//, '')
    .replace(/^library\/(?=[^/]+$)/, '')
    .replace(/:latest$/, '')

export class NamedContexts {
  readonly #named = new Map<string, { name: string; context: NamedContext }>()
  readonly planned: PlannedContext[] = []
  readonly #wire = new Map<string, string>()

  constructor(named: ReadonlyMap<string, NamedContext> = new Map()) {
    for (const [name, context] of named) this.#named.set(contextName(name), { name, context })
  }

  /** The context of that name, and what it is called where it was given. */
  find(name: string): { name: string; context: NamedContext } | undefined {
    return this.#named.get(contextName(name))
  }

  /** The name under which its files are to be sent; the same source is sent once. */
  use(source: ContextSource): string {
    const key = JSON.stringify(source)
    const known = this.#wire.get(key)
    if (known !== undefined) return known
    const plain = source.kind === 'named' && /^[a-z0-9][a-z0-9._-]{0,50}$/.test(source.name) ? source.name : source.kind
    const taken = new Set(this.#wire.values())
    let name = plain
    for (let n = 2; taken.has(name); n++) name = `${plain}-${n}`
    this.#wire.set(key, name)
    this.planned.push({ name, source })
    return name
  }
}

/** Of a Git context's address; null when it is none. */
export function gitContext(url: string, keepGitDir = false): ContextSource | null {
  const source = gitSource(url)
  return source && { ...source, kind: 'git', keepGitDir: source.keepGitDir ?? keepGitDir }
}
