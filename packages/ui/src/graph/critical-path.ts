export interface TimedVertex {
  id: string
  /** Ids of the vertices whose result it takes. */
  inputs: string[]
  /** Milliseconds since the build began. */
  start: number
  end: number
}

/**
 * The chain that decided how long the build took: from the vertex that ended last, always back to the input that ended last.
 * Shortening anything off this chain saves nothing.
 */
export function criticalPath(vertices: TimedVertex[]): Set<string> {
  const byId = new Map(vertices.map((v) => [v.id, v]))
  const path = new Set<string>()
  let current = latest(vertices)
  while (current && !path.has(current.id)) {
    path.add(current.id)
    current = latest(current.inputs.map((id) => byId.get(id)).filter((v) => v !== undefined))
  }
  return path
}

function latest(vertices: TimedVertex[]): TimedVertex | undefined {
  let best: TimedVertex | undefined
  for (const v of vertices) if (!best || v.end > best.end || (v.end === best.end && v.start > best.start)) best = v
  return best
}
