import { expect, it } from 'vitest'
import { layerWidths } from './widths'

const sum = (widths: number[]) => widths.reduce((a, b) => a + b, 0)

it('draws layers to scale', () => {
  expect(layerWidths([50, 25, 25])).toEqual([50, 25, 25])
})
it('keeps an empty layer visible and the bar full', () => {
  const widths = layerWidths([48_100_000, 31_800_000, 61, 0])
  expect(Math.min(...widths)).toBeCloseTo(0.8)
  expect(sum(widths)).toBeCloseTo(100)
})
it('shares the bar when nothing has a size', () => {
  expect(layerWidths([0, 0])).toEqual([50, 50])
  expect(layerWidths([])).toEqual([])
})
it('holds more layers than the minimum allows', () => {
  const widths = layerWidths([1e9, ...Array.from({ length: 199 }, () => 1)])
  expect(sum(widths)).toBeCloseTo(100)
  expect(Math.min(...widths)).toBeGreaterThan(0)
})
