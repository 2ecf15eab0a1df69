/** Medians and ratios: absolute times of a shared machine mean little. */
export interface Figure {
  name: string
  unit: 'ms' | 'MB' | 'MB/s' | '/s' | 'requests' | '×' | ''
  ours: number[]
  peer?: { name: string; values: number[] }
  aim: string
  /** When more of it is better: the ratio is then ours over the peer's. */
  more?: 'better'
}

export const sorted = (values: number[]) => [...values].sort((a, b) => a - b)
export const quantile = (values: number[], q: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN
export const median = (values: number[]) => quantile(values, 0.5)

const show = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

/** Of fewer runs it would be the largest under another name. */
const p99 = (values: number[]) => (values.length >= 100 ? show(quantile(values, 0.99)) : '—')

/** A table in Markdown: median, p99, spread, the peer's median and the ratio (how much better ours is). */
export function table(figures: Figure[]): string {
  const rows = figures.map(({ name, unit, ours, peer, aim, more }) => {
    const spread = ours.length > 1 ? `${show(Math.min(...ours))}–${show(Math.max(...ours))}` : '—'
    const theirs = peer ? `${show(median(peer.values))} ${unit} (${peer.name}, ${peer.values.length} runs)` : '—'
    const better = peer && (more ? median(ours) / median(peer.values) : median(peer.values) / median(ours))
    const ratio = better === undefined ? '—' : `${show(better)}×`
    return `| ${name} | ${show(median(ours))} ${unit} | ${p99(ours)} | ${spread} | ${ours.length} | ${theirs} | ${ratio} | ${aim} |`
  })
  return ['| Figure | Median | p99 | Min–max | Runs | Peer | Ratio | Aim |', '|---|---|---|---|---|---|---|---|', ...rows].join('\n')
}
