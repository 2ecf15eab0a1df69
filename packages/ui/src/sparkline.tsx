/** The recent course of one number, from zero to `max`; the figures beside it say the value, so it is hidden from screen readers. */
export function Sparkline({ values, max, tone = 'ink' }: { values: number[]; max: number; tone?: 'accent' | 'ink' }) {
  const width = 300
  const height = 64
  const step = values.length > 1 ? width / (values.length - 1) : width
  const points = values.map(
    (v, i) => `${(i * step).toFixed(1)},${(height - 4 - (max > 0 ? Math.min(1, v / max) : 0) * (height - 10)).toFixed(1)}`,
  )
  if (points.length === 0) return <div className="h-16" />
  const line = points.length === 1 ? `${points[0]} ${width},${points[0]?.split(',')[1]}` : points.join(' ')
  return (
    <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" className="block h-16 w-full" aria-hidden>
      <polygon points={`0,${height} ${line} ${width},${height}`} fill={tone === 'accent' ? 'var(--accent-soft)' : 'var(--sunken)'} />
      <polyline
        points={line}
        fill="none"
        stroke={tone === 'accent' ? 'var(--accent)' : 'var(--ink-2)'}
        strokeWidth="1.6"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  )
}
