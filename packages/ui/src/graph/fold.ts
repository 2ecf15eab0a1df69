import type { GraphVertex } from './vertex'

/** Up to this many vertices a lane is drawn as it is. */
const CROWDED = 20

/** In a crowded lane, steps from the cache that follow each other become one: what took time is what is looked for. */
export function foldCached(vertices: GraphVertex[]): GraphVertex[] {
  if (vertices.length <= CROWDED) return vertices
  const out: GraphVertex[] = []
  let run: GraphVertex[] = []
  const close = () => {
    const [first, ...others] = run
    const last = others.at(-1)
    if (first && last) {
      const layers = run.reduce((sum, v) => sum + (v.size ?? 0), 0)
      out.push({ ...first, label: `${run.length} steps`, reason: null, details: [], size: layers, end: last.end })
    } else if (first) out.push(first)
    run = []
  }
  for (const vertex of vertices) {
    if (vertex.state === 'cached') run.push(vertex)
    else {
      close()
      out.push(vertex)
    }
  }
  close()
  return out
}
