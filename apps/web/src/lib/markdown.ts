/**
 * Markdown of people as a tree of a few known elements. There is no HTML anywhere on the way: markdown-it gives tokens, of which
 * only those named here become elements. Raw HTML is left out, links go to http, https, mail and headings of the same text only,
 * and an image is a link to it: the panel loads nothing from other sites, and tells them nothing about who reads.
 */
import MarkdownIt, { type Token } from 'markdown-it'

export type MarkdownTag =
  | 'p'
  | 'h1'
  | 'h2'
  | 'h3'
  | 'h4'
  | 'h5'
  | 'h6'
  | 'ul'
  | 'ol'
  | 'li'
  | 'blockquote'
  | 'pre'
  | 'hr'
  | 'table'
  | 'thead'
  | 'tbody'
  | 'tr'
  | 'th'
  | 'td'
  | 'a'
  | 'em'
  | 'strong'
  | 's'
  | 'code'
  | 'br'
  | 'image'

export interface MarkdownElement {
  tag: MarkdownTag
  children: MarkdownNode[]
  /** Of `a` and `image`; only ever a safe one. */
  href?: string
  /** Of headings: what `#…` links lead to. */
  id?: string
  /** Of `ol`, when it does not begin at 1. */
  start?: number
  /** Of `th` and `td`. */
  align?: 'center' | 'right'
  /** Of `li`: one of a list of tasks, done or not. */
  done?: boolean
}
export type MarkdownNode = MarkdownElement | string

const TAGS = new Set<string>(
  'p h1 h2 h3 h4 h5 h6 ul ol li blockquote hr table thead tbody tr th td a em strong s br'.split(' ') satisfies string[],
)
const isTag = (tag: string): tag is MarkdownTag => TAGS.has(tag)

// `html`: it is read as what it is, and then left out; otherwise a reader would see its tags.
const parser = new MarkdownIt({ html: true, linkify: true })
// What is no link stays the text that it has; see `safeHref`.
parser.validateLink = () => true
// `README.md` is no site of Moldova.
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false })

/** An address that a reader may follow; undefined for every other one. */
export function safeHref(href: string): string | undefined {
  if (/^#[^\s]+$/.test(href)) return `#${headingId(decode(href.slice(1)))}`
  if (/^mailto:[^\s]+@[^\s]+$/i.test(href)) return href
  if (!/^https?:\/\//i.test(href) || !URL.canParse(href)) return undefined
  const url = new URL(href)
  // `https://slipway.example@evil.example` shows one site and leads to another.
  return url.username === '' && url.password === '' ? url.href : undefined
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** As GitHub makes them, with a word before: no text may take the id of a part of the page. */
export const headingId = (text: string) =>
  `readme-${text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')}`

export function parseMarkdown(source: string): MarkdownNode[] {
  return treeOf(parser.parse(source, {}))
}

function treeOf(tokens: readonly Token[], linked = false): MarkdownNode[] {
  const root: MarkdownNode[] = []
  // The list that is being filled last; `null`: an element that is left out, whose children go to the one around it.
  const open: (MarkdownElement | null)[] = []
  const put = (...nodes: MarkdownNode[]) => {
    const parent = open.findLast((element) => element !== null)
    ;(parent ? parent.children : root).push(...nodes)
  }
  for (const token of tokens) {
    // A paragraph of a list whose items have no space between them.
    if (token.hidden) continue
    if (token.nesting === 1) {
      const element = elementOf(token)
      if (element) put(element)
      open.push(element)
    } else if (token.nesting === -1) {
      const closed = open.pop()
      if (closed && /^h[1-6]$/.test(closed.tag)) closed.id = headingId(textOf(closed.children))
      if (closed?.tag === 'li') readTask(closed)
    } else put(...leaves(token, linked || open.some((element) => element?.tag === 'a')))
  }
  return root
}

/** GitHub's `- [x] text`, in an item or in its first paragraph. */
function readTask(item: MarkdownElement): void {
  const [first] = item.children
  const inside = typeof first === 'object' && first.tag === 'p' ? first : item
  const [text] = inside.children
  const [mark, box] = (typeof text === 'string' && /^\[([ xX])\] +/.exec(text)) || []
  if (mark === undefined || typeof text !== 'string') return
  item.done = box !== ' '
  inside.children[0] = text.slice(mark.length)
}

function elementOf(token: Token): MarkdownElement | null {
  if (!isTag(token.tag)) return null
  const element: MarkdownElement = { tag: token.tag, children: [] }
  if (token.tag === 'a') {
    const href = safeHref(token.attrGet('href') ?? '')
    if (href === undefined) return null
    element.href = href
  }
  const start = Number(token.attrGet('start') ?? 1)
  if (token.tag === 'ol' && Number.isSafeInteger(start) && start !== 1) element.start = start
  const align = /text-align:\s*(center|right)/.exec(token.attrGet('style') ?? '')?.[1]
  if (align === 'center' || align === 'right') element.align = align
  return element
}

/** `linked`: inside a link, where no other one may be. */
function leaves(token: Token, linked: boolean): MarkdownNode[] {
  switch (token.type) {
    case 'inline':
      return treeOf(token.children ?? [], linked)
    case 'text':
      return token.content === '' ? [] : [token.content]
    case 'softbreak':
      return ['\n']
    case 'hardbreak':
      return [{ tag: 'br', children: [] }]
    case 'hr':
      return [{ tag: 'hr', children: [] }]
    case 'code_inline':
      return [{ tag: 'code', children: [token.content] }]
    case 'fence':
    case 'code_block':
      return [{ tag: 'pre', children: [token.content.replace(/\n$/, '')] }]
    case 'image': {
      const href = safeHref(token.attrGet('src') ?? '')
      const alt = textOf(treeOf(token.children ?? [])) || 'image'
      return [href?.startsWith('http') && !linked ? { tag: 'image', children: [alt], href } : alt]
    }
    default:
      // html_block, html_inline, and whatever a newer parser may bring.
      return []
  }
}

export const textOf = (nodes: readonly MarkdownNode[]): string =>
  nodes.map((node) => (typeof node === 'string' ? node : textOf(node.children))).join('')
