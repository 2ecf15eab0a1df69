/** Human units, decimal like docker's: `84.2 MB`, `412 kB`, `0 B`. */
export function formatBytes(bytes: number | bigint): string {
  let value = Number(bytes)
  if (value < 1000) return `${value} B`
  for (const unit of ['kB', 'MB', 'GB', 'TB']) {
    value /= 1000
    if (value < 999.95 || unit === 'TB')
      return `${value < 10 ? value.toFixed(1).replace(/\.0$/, '') : value < 100 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)} ${unit}`
  }
  return `${value} PB`
}

/** `9 ms`, `0.4 s`, `2.4 s`, `24 s`, `3 min 4 s`, `2 h 14 min`. Input in milliseconds. */
export function formatDuration(ms: number): string {
  if (ms < 100) return `${Math.max(0, Math.round(ms))} ms`
  const s = ms / 1000
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 60) return `${Math.round(s)} s`
  const total = Math.round(s)
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`
  if (total < 86_400) return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`
  return `${Math.floor(total / 86_400)} d ${Math.floor((total % 86_400) / 3600)} h`
}

/** `just now`, `14 s ago`, `5 min ago`, `2 h ago`, `yesterday`, `12 d ago`, then the date (ISO). */
export function formatAgo(at: Date | number, now = Date.now()): string {
  const s = Math.max(0, Math.round((now - Number(at)) / 1000))
  if (s < 5) return 'just now'
  if (s < 60) return `${s} s ago`
  if (s < 3600) return `${Math.floor(s / 60)} min ago`
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`
  if (s < 172_800) return 'yesterday'
  if (s < 30 * 86_400) return `${Math.floor(s / 86_400)} d ago`
  return new Date(at).toISOString().slice(0, 10)
}

/** First twelve hex digits of a digest, as docker shows them: `sha256:9f0c6b1e41d7`. */
export const shortDigest = (digest: string, length = 12) => {
  const [algorithm, hex] = digest.split(':')
  return hex ? `${algorithm}:${hex.slice(0, length)}` : digest.slice(0, length)
}
