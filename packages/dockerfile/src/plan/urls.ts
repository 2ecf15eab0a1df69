/** ADD of URLs: what a word names, and what is shown of it. */
import type { CopyInstruction } from '../instructions/types'
import { LIMITS } from '../limits'
import type { Word } from '../words'
import type { PlanContext } from './context'

/** Where some of the sources of one instruction lie: beneath a vertex, or in the build context (null). */
export interface Part {
  from: string | null
  sources: string[]
  extract: boolean
}

/** As `op.http` of the contract. */
export interface HttpSource {
  url: string
  filename: string
}

/** As BuildKit, a repository is Git's also behind http(s), when its path ends in `.git`. */
const GIT = /^(?:git|ssh):\/\/|^git@|^github\.com\/|^https?:\/\/[^?#]*\.git(?:[?#]|$)/i

export const isUrl = (source: string): boolean => GIT.test(source) || /^(?:https?|ftp):\/\//i.test(source)

/** User and password of URLs, as Docker masks them in names and history. */
export const maskCredentials = (text: string): string => text.replace(/(https?:\/\/)[^\s/@"']+@/gi, '$1xxxxx:xxxxx@')

/** What a source of an ADD names that is no Git repository, with variables expanded. null: files of the build context. */
export function httpSource(context: PlanContext, instruction: CopyInstruction, word: Word, source: string): HttpSource | null {
  if (!isUrl(source)) return null
  const bad = (code: string, message: string, hint?: string) => context.fail(code, message, instruction, word.offset, hint)
  let url: URL
  try {
    url = new URL(source)
  } catch {
    throw bad('BAD_URL', 'ADD: this is no valid URL.', 'Write https://host/path.')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw bad('BAD_URL', 'ADD takes URLs that begin with http:// or https://.')
  url.hash = ''
  if (url.href.length > LIMITS.urlLength) throw bad('BAD_URL', `ADD: a URL has at most ${LIMITS.urlLength} characters.`)
  const filename = fileNameOf(url)
  if (filename.includes('\0') || new TextEncoder().encode(filename).length > 255)
    throw bad('BAD_URL', 'ADD: the last part of the URL cannot name a file.', 'Name the file in the destination.')
  return { url: url.href, filename }
}

/** The last part of the path; one that has none gets the name that BuildKit gives it. */
function fileNameOf(url: URL): string {
  let path = url.pathname
  try {
    path = decodeURIComponent(path)
  } catch {
    // Bytes that are no UTF-8 stay as they are written.
  }
  const name = path.replace(/\/+$/, '').split('/').at(-1) ?? ''
  return name === '' || name === '.' || name === '..' ? '__unnamed__' : name
}

/** A name as a source that is no pattern. */
export const literalSource = (name: string): string => name.replace(/[*?[\\]/g, '\\$&')

/** `--checksum`, or null. */
export function checksumOf(context: PlanContext, instruction: CopyInstruction, expanded: string, urls: number, all: number): string | null {
  const { checksum } = instruction
  if (!checksum) return null
  const bad = (message: string, hint?: string) => context.fail('BAD_CHECKSUM', message, instruction, checksum.offset, hint)
  if (expanded === '') return null
  if (urls === 0) throw bad('--checksum is for URLs: the files of the build context are known anyway.')
  if (all > 1) throw bad('--checksum is of one URL, but there is more than one source.', 'Write an ADD for each.')
  if (!/^sha256:[0-9a-f]{64}$/.test(expanded))
    throw bad(`--checksum=${expanded.slice(0, 80)} is no checksum.`, 'Write --checksum=sha256: and 64 hex digits.')
  return expanded
}
