/** ONBUILD: an instruction for the builds that will be based on this image. */
import { Node } from './node'
import { parseInstruction } from './parse'
import type { Instruction } from './types'

const REFUSED: ReadonlyMap<string, string> = new Map([
  ['ONBUILD', 'Chaining ONBUILD via ONBUILD ONBUILD is not allowed.'],
  ['FROM', 'FROM is not allowed as an ONBUILD trigger.'],
  ['MAINTAINER', 'MAINTAINER is not allowed as an ONBUILD trigger.'],
])

/** The trigger is kept as text; it is parsed here too, so that a mistake is told to the one who makes it. */
export function parseOnbuild(node: Node): Instruction {
  node.readFlags([])
  node.needArgs()
  const { line } = node
  const shift = node.argsOffset
  const inner = new Node(
    node.source,
    { ...line, text: node.args, pieces: line.pieces.map((piece) => ({ ...piece, offset: piece.offset - shift })) },
    node.escape,
  )
  const refused = REFUSED.get(inner.keyword)
  if (refused) throw node.fail('BAD_TRIGGER', refused, shift)
  parseInstruction(inner)
  const heredocs = line.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('')
  return { ...node.place(), kind: 'ONBUILD', trigger: `${node.args}${heredocs}` }
}
