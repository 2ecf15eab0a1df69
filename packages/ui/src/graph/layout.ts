export interface Span {
  start: number
  end: number
}
export interface Box {
  /** Percent of the track's width. */
  left: number
  width: number
}

const GAP = 0.7
/** All gaps of a lane together take at most this much: 200 vertices need the track for themselves. */
const GAPS = 20
/** Below this nothing can be pressed any more; then vertices do give way to the left. */
const NARROWEST = 2

/**
 * Places the vertices of one lane on a track of 100 %, to scale, but none narrower than `minimum` percent and none over another:
 * what was too short to see pushes its successors to the right, and what would leave the track is pushed back.
 * `spans` are in order of their start; times in ms, `total` is the whole axis.
 */
export function placeLane(spans: Span[], total: number, minimum: number): Box[] {
  if (spans.length === 0) return []
  const scale = total > 0 ? 100 / total : 0
  const gap = Math.min(GAP, GAPS / spans.length)
  const gaps = gap * (spans.length - 1)
  // Rather narrow than in the wrong place: what ran late stays late.
  const room = 100 - (spans[0]?.start ?? 0) * scale - gaps
  const least = Math.min(Math.max(NARROWEST, Math.min(minimum, room / spans.length)), (100 - gaps) / spans.length)
  const boxes = spans.map((s) => ({ left: s.start * scale, width: Math.max((s.end - s.start) * scale, least) }))
  let edge = 0
  for (const box of boxes) {
    box.left = Math.max(box.left, edge)
    edge = box.left + box.width + gap
  }
  let limit = 100
  for (const box of boxes.toReversed()) {
    const over = box.left + box.width - limit
    if (over > 0) {
      // Shrink what is wider than it must be (its end stays true), then give way.
      box.width = Math.max(least, box.width - over)
      box.left = Math.max(0, Math.min(box.left, limit - box.width))
    }
    limit = box.left - gap
  }
  return squeeze(boxes, least, gap)
}

/** The backward pass may have left early boxes without room; then the lane is laid out in order, each with its share. */
function squeeze(boxes: Box[], least: number, gap: number): Box[] {
  if (boxes.every((b) => b.left >= 0 && b.width >= least - 0.001)) return boxes
  const free = 100 - gap * (boxes.length - 1) - least * boxes.length
  const extra = boxes.reduce((sum, b) => sum + Math.max(0, b.width - least), 0)
  let left = 0
  return boxes.map((b) => {
    const width = least + (extra > 0 ? (Math.max(0, b.width - least) / extra) * Math.min(free, extra) : 0)
    const box = { left, width }
    left += width + gap
    return box
  })
}

/** Round marks for an axis of `total` ms: at most `most` of them, the last before the end. */
export function ticks(total: number, most = 6): number[] {
  if (total <= 0) return [0]
  const rough = total / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((n) => n * power).find((s) => total / s <= most) ?? power * 10
  const marks: number[] = []
  for (let at = 0; at < total * 0.88; at += step) marks.push(at)
  return marks
}
