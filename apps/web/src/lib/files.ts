import type { views } from '@slipway/contracts'

const LETTERS: Record<views.FileKind, string> = { file: '-', directory: 'd', symlink: 'l', device: 'c', pipe: 'p' }

/** As `ls -l` writes it: `-rwxr-xr-x`, with s and t where they are set. */
export function modeText({ kind, mode }: Pick<views.FileView, 'kind' | 'mode'>): string {
  if (mode === null) return '–'
  const bits = [6, 3, 0].map((shift, index) => {
    const three = (mode >> shift) & 7
    const special = mode & (0o4000 >> index)
    const letter = index === 2 ? 't' : 's'
    const last = special ? (three & 1 ? letter : letter.toUpperCase()) : three & 1 ? 'x' : '-'
    return `${three & 4 ? 'r' : '-'}${three & 2 ? 'w' : '-'}${last}`
  })
  return `${LETTERS[kind]}${bits.join('')}`
}

/** Where a link in `path` leads, below the root; `..` stops at the root, as in a container. */
export function linkTarget(path: string, target: string): string {
  const parts = target.startsWith('/') ? [] : path.split('/').slice(0, -1)
  for (const part of target.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts.join('/')
}

/** All directories above a path, the root first. */
export function ancestors(path: string): string[] {
  const parts = path.split('/')
  return parts.map((_, index) => parts.slice(0, index).join('/'))
}
