/**
 * A repository without a Dockerfile → a Dockerfile for it. Manifests are hostile: what is taken from them into the text is either
 * one of our own words or matches `SAFE_FILE`, so nothing in them can become an instruction.
 */
import { node } from './node'
import type { Detection, Tree } from './parts'
import { python } from './python'
import { staticSite } from './static'

export const MANIFESTS: readonly string[] = ['package.json', 'requirements.txt']
/** Bytes of one manifest that are read. */
export const MANIFEST_LIMIT = 1024 * 1024
export const LOOKED_FOR = 'package.json (npm), requirements.txt (Flask, FastAPI) or index.html'

/** The first kind that recognizes the tree, or why there is none. */
export function detect(tree: Tree): Detection | { refused: string } {
  for (const kind of [node, python, staticSite]) {
    const verdict = kind(tree)
    if (typeof verdict === 'string') return { refused: verdict }
    if (verdict !== null) return verdict
  }
  return { refused: `Looked for ${LOOKED_FOR} and found none.` }
}
