/** Shares of a bar of 100 %, to scale, where even an empty layer keeps `minimum` percent so that it can be seen and pressed. */
export function layerWidths(sizes: number[], minimum = 0.8): number[] {
  if (sizes.length === 0) return []
  const least = Math.min(minimum, 100 / sizes.length)
  const total = sizes.reduce((sum, size) => sum + Math.max(0, size), 0)
  if (total === 0) return sizes.map(() => 100 / sizes.length)
  const raw = sizes.map((size) => (Math.max(0, size) / total) * 100)
  const missing = raw.reduce((sum, width) => sum + Math.max(0, least - width), 0)
  const spare = raw.reduce((sum, width) => sum + Math.max(0, width - least), 0)
  return raw.map((width) => (width <= least ? least : width - (missing * (width - least)) / spare))
}
