/** Takes: what a vertex does. Gives: the vertices whose result it takes, its own file system first. */
import type { BuildOp } from '@slipway/contracts'

export function inputsOf(op: BuildOp): string[] {
  if (!('input' in op)) return []
  const from =
    op.type === 'copy'
      ? [op, ...(op.more ?? [])].map((part) => part.from)
      : op.type === 'exec'
        ? (op.mounts ?? []).map((mount) => ('from' in mount ? mount.from : null))
        : []
  return [op.input, ...from.filter((id) => id !== null)]
}
