import { describe, expect, it } from 'vitest'
import { neighbour } from './build-graph'
import { criticalPath } from './critical-path'
import { foldCached } from './fold'
import { placeLane, ticks } from './layout'
import type { GraphVertex } from './vertex'

const inside = (boxes: { left: number; width: number }[]) => {
  let edge = 0
  for (const b of boxes) {
    expect(b.left).toBeGreaterThanOrEqual(edge - 0.01)
    expect(b.width).toBeGreaterThan(0)
    edge = b.left + b.width
  }
  expect(edge).toBeLessThanOrEqual(100.01)
}

describe('placeLane', () => {
  it('draws to scale when everything is wide enough', () => {
    const boxes = placeLane(
      [
        { start: 0, end: 400 },
        { start: 500, end: 1000 },
      ],
      1000,
      5,
    )
    expect(boxes).toEqual([
      { left: 0, width: 40 },
      { left: 50, width: 50 },
    ])
  })
  it('keeps vertices of no duration visible and in order', () => {
    const boxes = placeLane(
      [0, 0, 0].map((at) => ({ start: at, end: at })),
      1000,
      6,
    )
    inside(boxes)
    for (const b of boxes) expect(b.width).toBeCloseTo(6)
  })
  it('pushes back what the short ones moved out of the track', () => {
    inside(
      placeLane(
        [
          { start: 0, end: 1 },
          { start: 1, end: 2 },
          { start: 2, end: 1000 },
        ],
        1000,
        8,
      ),
    )
    inside(
      placeLane(
        [
          { start: 0, end: 990 },
          { start: 995, end: 996 },
          { start: 998, end: 1000 },
        ],
        1000,
        8,
      ),
    )
  })
  it('lets a long step make room for the short ones before it', () => {
    const boxes = placeLane(
      [
        { start: 200, end: 200 },
        { start: 200, end: 203 },
        { start: 203, end: 1000 },
      ],
      1000,
      7,
    )
    inside(boxes)
    expect(boxes[0]?.left).toBeCloseTo(20)
    expect((boxes[2]?.left ?? 0) + (boxes[2]?.width ?? 0)).toBeCloseTo(100)
  })
  it('leaves what ran late where it ran, as long as it can be pressed', () => {
    const boxes = placeLane(
      Array.from({ length: 4 }, () => ({ start: 850, end: 852 })),
      1000,
      7,
    )
    inside(boxes)
    expect(boxes[0]?.left).toBeCloseTo(85)
    for (const b of boxes) expect(b.width).toBeGreaterThan(3)
  })
  it('shares the track among more vertices than the minimum allows', () => {
    inside(
      placeLane(
        Array.from({ length: 60 }, (_, i) => ({ start: i, end: i + 1 })),
        60,
        6,
      ),
    )
  })
  it('has room for two hundred', () => {
    inside(
      placeLane(
        Array.from({ length: 200 }, (_, i) => ({ start: i * 10, end: i * 10 + 10 })),
        2000,
        7,
      ),
    )
  })
  it('takes a build that has just begun', () => {
    inside(placeLane([{ start: 0, end: 0 }], 0, 6))
    expect(placeLane([], 100, 6)).toEqual([])
  })
})

describe('ticks', () => {
  it('are round and end before the end', () => {
    expect(ticks(2400)).toEqual([0, 500, 1000, 1500, 2000])
    expect(ticks(0)).toEqual([0])
    expect(ticks(90_000).length).toBeLessThanOrEqual(6)
  })
})

describe('foldCached', () => {
  const lane = (count: number, ran: number[]): GraphVertex[] =>
    Array.from({ length: count }, (_, i) => ({
      id: String(i),
      lane: '0',
      label: `RUN ${i}`,
      state: ran.includes(i) ? ('done' as const) : ('cached' as const),
      inputs: [],
      start: i,
      end: i + 1,
      size: 10,
    }))
  it('leaves a lane with room alone', () => {
    expect(foldCached(lane(20, []))).toHaveLength(20)
  })
  it('makes one of what came from the cache in a row, and keeps all that ran', () => {
    const folded = foldCached(lane(100, [50, 51, 53]))
    expect(folded.map((v) => [v.label, v.start, v.end, v.size])).toEqual([
      ['50 steps', 0, 50, 500],
      ['RUN 50', 50, 51, 10],
      ['RUN 51', 51, 52, 10],
      ['RUN 52', 52, 53, 10],
      ['RUN 53', 53, 54, 10],
      ['46 steps', 54, 100, 460],
    ])
  })
})

describe('neighbour', () => {
  const lanes = [['a', 'b', 'c'], ['d'], ['e', 'f']]
  it('goes along a lane and over its ends', () => {
    expect(neighbour(lanes, 'a', 'ArrowRight')).toBe('b')
    expect(neighbour(lanes, 'c', 'ArrowRight')).toBe('d')
    expect(neighbour(lanes, 'd', 'ArrowLeft')).toBe('c')
    expect([neighbour(lanes, 'b', 'Home'), neighbour(lanes, 'b', 'End')]).toEqual(['a', 'c'])
  })
  it('goes from lane to lane, as far as there are vertices', () => {
    expect(neighbour(lanes, 'c', 'ArrowDown')).toBe('d')
    expect(neighbour(lanes, 'f', 'ArrowUp')).toBe('d')
  })
  it('stays where nothing follows, and leaves other keys alone', () => {
    expect(neighbour(lanes, 'a', 'ArrowUp')).toBeNull()
    expect(neighbour(lanes, 'f', 'ArrowRight')).toBeNull()
    expect(neighbour(lanes, 'a', 'Tab')).toBeNull()
    expect(neighbour([], null, 'ArrowDown')).toBeNull()
  })
})

describe('criticalPath', () => {
  it('goes back through the input that ended last', () => {
    const path = criticalPath([
      { id: 'base', inputs: [], start: 0, end: 10 },
      { id: 'deps', inputs: ['base'], start: 10, end: 900 },
      { id: 'lint', inputs: ['base'], start: 10, end: 300 },
      { id: 'final', inputs: ['lint', 'deps'], start: 900, end: 950 },
    ])
    expect([...path].sort()).toEqual(['base', 'deps', 'final'])
  })
  it('survives a cycle and nothing at all', () => {
    expect(criticalPath([]).size).toBe(0)
    expect(
      criticalPath([
        { id: 'a', inputs: ['b'], start: 0, end: 1 },
        { id: 'b', inputs: ['a'], start: 0, end: 1 },
      ]).size,
    ).toBe(2)
  })
})
