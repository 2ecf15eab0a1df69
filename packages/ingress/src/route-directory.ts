/**
 * Keeps the routes directory as `routeFiles` wants it. Caddy reads it for each request, so every step leaves a state that
 * serves: the new file is made before the old one is removed, and a host goes from one to the other between two requests.
 */
import { mkdir, open, readdir, rm, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isHostname } from './routes'

export interface RouteChanges {
  /** Hosts whose upstreams changed, came or went. */
  changed: string[]
}

export async function syncRoutes(root: string, wanted: ReadonlyMap<string, string | null>): Promise<RouteChanges> {
  await mkdir(root, { recursive: true, mode: 0o755 })
  const present = new Set(await readdir(root))
  const changed: string[] = []
  for (const [hostname, file] of wanted) {
    if (await syncHost(join(root, hostname), file)) changed.push(hostname)
    present.delete(hostname)
  }
  for (const hostname of present) {
    // Nothing but host names is ours to remove.
    if (!isHostname(hostname)) continue
    await rm(join(root, hostname), { recursive: true, force: true })
    changed.push(hostname)
  }
  return { changed }
}

async function syncHost(directory: string, file: string | null): Promise<boolean> {
  const made = await mkdir(directory, { recursive: true, mode: 0o755 })
  const present = await readdir(directory)
  let changed = made !== undefined
  if (file !== null && !present.includes(file)) {
    const handle = await open(join(directory, file), 'w', 0o644)
    await handle.close()
    changed = true
  }
  for (const name of present) {
    if (name === file) continue
    await unlink(join(directory, name)).catch(() => rmdir(join(directory, name)))
    changed = true
  }
  return changed
}
