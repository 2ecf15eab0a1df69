/** Shares of a bar in percent, to scale; a part too small to be seen keeps half a percent. */
export function barWidths(bytes: number[]): number[] {
  const total = bytes.reduce((sum, n) => sum + n, 0)
  return bytes.map((n) => Math.max(0.5, (n / Math.max(1, total)) * 100))
}
