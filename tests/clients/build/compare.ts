/** Two images, entry by entry and field by field: each difference is one line, ours first. */
import type { Image } from './image'

export function differences(ours: Image, theirs: Image): string[] {
  return [...fileDifferences(ours, theirs), ...configDifferences(ours.config, theirs.config)]
}

function fileDifferences(ours: Image, theirs: Image): string[] {
  const out: string[] = []
  for (const path of [...new Set([...ours.files.keys(), ...theirs.files.keys()])].sort()) {
    // Docker's tars leave the root out.
    if (path === '/') continue
    const [our, their] = [ours.files.get(path), theirs.files.get(path)]
    if (!our || !their) {
      out.push(`${path} is only in ${our ? 'ours' : 'theirs'}`)
      continue
    }
    for (const key of new Set([...Object.keys(our), ...Object.keys(their)])) {
      // dockerd makes /etc/hosts and /etc/resolv.conf for each step and takes them away again.
      if (path === '/etc' && key === 'time' && their[key] === 'of the build') continue
      if (our[key] !== their[key]) out.push(`${path} ${key}: ${our[key] ?? 'none'} ≠ ${their[key] ?? 'none'}`)
    }
  }
  return out
}

interface History {
  created_by?: string
  empty_layer?: boolean
  comment?: string
  author?: string
}

function configDifferences(ours: Record<string, unknown>, theirs: Record<string, unknown>): string[] {
  const out: string[] = []
  const compare = (name: string, our: unknown, their: unknown) => {
    const [a, b] = [JSON.stringify(sorted(our)), JSON.stringify(sorted(their))]
    if (a !== b) out.push(`${name}: ${a} ≠ ${b}`)
  }
  for (const key of ['os', 'architecture', 'variant', 'author']) compare(key, ours[key], theirs[key])
  const [our, their] = [fields(ours.config), fields(theirs.config)]
  for (const key of [...new Set([...Object.keys(our), ...Object.keys(their)])].sort()) compare(`config.${key}`, our[key], their[key])
  const [a, b] = [history(ours), history(theirs)]
  for (let i = 0; i < Math.max(a.length, b.length); i++) compare(`history[${i}]`, a[i], b[i])
  const layers = (config: Record<string, unknown>) => (config.rootfs as { diff_ids?: unknown[] }).diff_ids?.length
  compare('layers', layers(ours), layers(theirs))
  return out
}

/** Go writes null and "" for what is not set. */
function fields(config: unknown): Record<string, unknown> {
  const entries = Object.entries((config ?? {}) as Record<string, unknown>)
  // ArgsEscaped says something on Windows only, and is deprecated in the OCI image-spec.
  return Object.fromEntries(
    entries.filter(([key, value]) => key !== 'ArgsEscaped' && value !== null && value !== '' && value !== false && !isEmpty(value)),
  )
}

const isEmpty = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0

/**
 * Of BuildKit's entries all but its name (it writes it into each of them twice); how it prints Go's structures (EXPOSE and
 * HEALTHCHECK: the config says the same); and --chown and --chmod, which a newer BuildKit writes and this one does not.
 */
const history = (config: Record<string, unknown>) =>
  ((config.history ?? []) as History[]).map(({ created_by, empty_layer, comment, author }) => ({
    created_by: created_by
      ?.replace(/ # buildkit$/, '')
      // Ours tells all flags; BuildKit leaves some out.
      .replace(/ --(?:link|exclude|unpack)(?:=\S+)?(?= )/g, '')
      .replace(/^(EXPOSE|HEALTHCHECK) .*$/, '$1')
      .replace(/^((?:COPY|ADD)(?: --\w+(?:=\S+)?)*?)((?: --ch(?:own|mod)=\S+)+) /, '$1 '),
    empty_layer: empty_layer ?? false,
    comment: (comment ?? '').replace(/^buildkit\.dockerfile\.v0$/, ''),
    author: author ?? '',
  }))

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
