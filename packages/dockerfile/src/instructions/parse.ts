import { parseCommandDefault, parseHealthcheck, parseRun, parseShell } from './command'
import { parseCopy, parseFrom, parseVolume } from './files'
import { parseArg, parseExpose, parsePairs, parseValue } from './metadata'
import { type Node, unknownInstruction } from './node'
import { parseOnbuild } from './onbuild'
import type { Instruction } from './types'

/** One node → one typed instruction. Throws DockerfileError. */
export function parseInstruction(node: Node): Instruction {
  switch (node.keyword) {
    case 'FROM':
      return parseFrom(node)
    case 'RUN':
      return parseRun(node)
    case 'COPY':
    case 'ADD':
      return parseCopy(node, node.keyword)
    case 'ARG':
      return parseArg(node)
    case 'ENV':
    case 'LABEL':
      return parsePairs(node, node.keyword)
    case 'WORKDIR':
    case 'USER':
    case 'STOPSIGNAL':
    case 'MAINTAINER':
      return parseValue(node, node.keyword)
    case 'CMD':
    case 'ENTRYPOINT':
      return parseCommandDefault(node, node.keyword)
    case 'EXPOSE':
      return parseExpose(node)
    case 'VOLUME':
      return parseVolume(node)
    case 'SHELL':
      return parseShell(node)
    case 'HEALTHCHECK':
      return parseHealthcheck(node)
    case 'ONBUILD':
      return parseOnbuild(node)
    default:
      throw unknownInstruction(node)
  }
}
