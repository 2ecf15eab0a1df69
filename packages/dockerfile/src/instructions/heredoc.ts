import { isSpace } from '../words'
import type { Node } from './node'

/** `<<EOF`, `3<<-"EOF"`; not `<<<word`, not `<<` alone. */
const HEREDOC = /^\d*<<-?[^<]+$/

/**
 * Refuses heredocs with a clear error; without this the lines after `RUN <<EOF` would be read as instructions.
 * Looks at words outside quotes only: `echo "<<EOF"` is plain text.
 */
export function refuseHeredocs(node: Node): void {
  const { args } = node
  if (!args.includes('<<')) return
  let start = 0
  let quote = ''
  let quotedFrom = -1
  const check = (end: number) => {
    const word = args.slice(start, end)
    if ((quotedFrom === -1 || quotedFrom > word.indexOf('<<') + start) && word.length <= 256 && HEREDOC.test(word)) {
      throw node.fail(
        'HEREDOC_NOT_SUPPORTED',
        `Heredocs (${word}) are not supported yet in ${node.keyword}.`,
        node.argsOffset + start,
        node.keyword === 'RUN'
          ? 'Join the commands with && and continuation lines, or COPY a script and RUN it.'
          : 'Put the content into a file of the context.',
      )
    }
  }
  for (let i = 0; i <= args.length; i++) {
    const ch = args[i]
    if (i === args.length || (quote === '' && isSpace(ch))) {
      check(i)
      start = i + 1
      quotedFrom = -1
    } else if (quote !== '') {
      if (ch === quote) quote = ''
      else if (ch === node.escape && quote === '"') i++
    } else if (ch === "'" || ch === '"') {
      quote = ch
      if (quotedFrom === -1) quotedFrom = i
    } else if (ch === node.escape) i++
  }
}
