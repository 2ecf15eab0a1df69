const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
])

/** Go's duration format (`1h30m`, `1.5s`, `0`) → whole nanoseconds, or null. Negative ones are refused: no flag here takes them. */
export function parseDuration(text: string): number | null {
  if (text === '0' || text === '+0') return 0
  if (text.length > 40) return null
  const body = text.startsWith('+') ? text.slice(1) : text
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return null
  let total = 0
  for (const [, number, unit] of body.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(number) * (UNITS.get(unit ?? '') ?? Number.NaN)
  }
  return Number.isFinite(total) && total <= Number.MAX_SAFE_INTEGER ? Math.round(total) : null
}

/** Nanoseconds as Go prints them: `1m30s`, `500ms`. */
export function formatDurationGo(ns: number): string {
  if (ns === 0) return '0s'
  if (ns < 1e9) return ns >= 1e6 ? `${ns / 1e6}ms` : ns >= 1e3 ? `${ns / 1e3}µs` : `${ns}ns`
  const hours = Math.floor(ns / 3600e9)
  const minutes = Math.floor((ns % 3600e9) / 60e9)
  const seconds = (ns % 60e9) / 1e9
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`
}
