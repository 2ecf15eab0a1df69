/** Slash paths as Go's `path` package treats them; node:path is not in browsers. */

/** Shortest equal path: no `.`, no `..` beyond the root of an absolute path, no doubled or trailing slash; '' is `.`. */
export function cleanPath(path: string): string {
  const absolute = path.startsWith('/')
  const out: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') out.push(part)
    else if (out.length > 0 && out.at(-1) !== '..') out.pop()
    else if (!absolute) out.push('..')
  }
  const joined = out.join('/')
  return absolute ? `/${joined}` : joined || '.'
}

/** `path` as an absolute path, seen from the working directory. */
export const absolutePath = (workdir: string, path: string): string => cleanPath(path.startsWith('/') ? path : `${workdir || '/'}/${path}`)

/** Destination of a COPY: as `absolutePath`, but a trailing slash stays, and `.` and '' mean "into the working directory". */
export function copyDestination(workdir: string, dest: string): string {
  const path = absolutePath(workdir, dest)
  const into = dest === '' || dest === '.' || dest.endsWith('/') || dest.endsWith('/.')
  return into && path !== '/' ? `${path}/` : path
}

/** Source of a COPY --parents: as `copySource`, but a `/./` stays. What stands before it does not become a part of the destination. */
export function parentsSource(source: string): string {
  const pivot = source.indexOf('/./')
  if (pivot === -1) return copySource(source)
  const before = copySource(source.slice(0, pivot))
  return `${before === '.' ? '' : before}/./${copySource(source.slice(pivot + 3))}`
}

/** Source of a COPY, relative to the root it is read from and never above it; `.` is the root itself. */
export const copySource = (source: string): string => cleanPath(`/${source}`).slice(1) || '.'
