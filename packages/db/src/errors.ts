interface DriverCause {
  cause?: { constraint?: { fields?: string[]; index?: string } | string; originalMessage?: string }
}

/** True for P2002. With `on`, only when the violated index or its columns contain that word (`hostname`, `slug`). */
export function isUniqueViolation(error: unknown, on?: string): boolean {
  const known = error as { code?: string; meta?: { target?: unknown; driverAdapterError?: DriverCause } } | null
  if (known?.code !== 'P2002') return false
  if (on === undefined) return true
  return JSON.stringify([known.meta?.target, known.meta?.driverAdapterError?.cause]).includes(on)
}

/** P2025: the row that an update or delete named is not there (or not in this organization). */
export const isNoRow = (error: unknown): boolean => (error as { code?: string } | null)?.code === 'P2025'
