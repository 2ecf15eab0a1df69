/** What is inside images. Sizes in bytes. */
import type { PackageView } from './images'

export type FileKind = 'file' | 'directory' | 'symlink' | 'device' | 'pipe'

/** Whether the layers of an image are looked through. */
export interface ImageFilesView {
  /** `waiting`: some layers are not read yet; `failed`: some cannot be. Pages show the rest then. */
  state: 'ready' | 'waiting' | 'failed' | 'index'
  layers: {
    position: number
    digest: string
    state: 'ready' | 'waiting' | 'failed' | 'refused'
    /** Entries of its archive, and bytes of its files unpacked. */
    entries: number | null
    bytes: number | null
    /** Why it could not be read. */
    error: string | null
  }[]
  /** Null until it is ready. */
  total: FileTotals | null
}

export interface FileTotals {
  files: number
  directories: number
  bytes: number
  /** Bytes of files that layers above replace or remove: shipped with every pull, seen by nobody. */
  wasted: number
  wastedFiles: number
  top: WastedView[]
}

export interface WastedView {
  path: string
  bytes: number
  layer: number
  /** The layer that hides it. */
  by: number
  /** `same`: replaced by the same content, with other rights or another time. */
  how: 'removed' | 'replaced' | 'same'
}

export interface FileView {
  /** The last part of the path. */
  name: string
  path: string
  kind: FileKind
  /** Of a directory: of all that is seen in it. */
  size: number
  /** Permission bits, with setuid, setgid and sticky; null: no layer has an entry for the directory. */
  mode: number | null
  uid: number | null
  gid: number | null
  modifiedAt: Date | null
  link: string | null
  hardLink: boolean
  layer: number
  /** The layer that hides it; null for what a container sees. */
  hiddenBy: number | null
}

export interface FilePageView {
  items: FileView[]
  total: number
  /** Where the next page begins; null at the end. */
  next: number | null
}

/** The first 200 in the order of their paths. */
export interface FileSearchView {
  items: FileView[]
  total: number
}

export interface FileTextView {
  path: string
  layer: number
  size: number
  text: string
}

export interface LayerPackagesView {
  packages: PackageView[]
  total: number
  types: { type: string; count: number }[]
  notes: string[]
}

export interface ComparisonView {
  from: ComparedImage
  to: ComparedImage
  files: {
    added: FileChanges
    removed: FileChanges
    changed: FileChanges
  }
  packages: {
    added: { type: string; name: string; version: string }[]
    removed: { type: string; name: string; version: string }[]
    changed: { type: string; name: string; from: string; to: string }[]
  }
  config: { field: string; from: string | null; to: string | null }[]
  layers: { shared: number; sharedBytes: number; from: number; to: number }
}
export interface ComparedImage {
  repository: string
  digest: string
  tags: string[]
  platform: string | null
  /** Compressed. */
  size: number
  bytes: number
  files: number
}
/** The first 200 by the difference of their sizes. */
export interface FileChanges {
  total: number
  /** Sum of the differences. */
  bytes: number
  items: { path: string; kind: FileKind; from: number | null; to: number | null; what: 'content' | 'rights' | 'kind' | null }[]
}

export interface WhereUsedView {
  /** All images that hold it, by digest and repository. */
  total: number
  /** What runs first, what is hidden last, the newest of each first. */
  items: UseView[]
  next: string | null
  /** Images that an app runs now, of all of them. */
  running: number
  /** Of a package's name that nothing has: names that begin so. Of one that is found: its versions. */
  suggestions: { name: string; version: string | null; images: number | null }[]
  /** Layers of the organization that are not read yet, counted up to 1,000: their images may be missing here. */
  waiting: number
}
export interface UseView {
  repository: string
  digest: string
  tags: string[]
  platform: string | null
  pushedAt: Date
  layer: { position: number; digest: string; createdBy: string | null; size: number }
  /** Of a package or a file: where it is. */
  path: string | null
  version: string | null
  type: string | null
  /** A layer above replaces or removes it: it is shipped, but no container sees it. */
  hidden: boolean
  runsIn: { app: string; deployment: number; containers: number }[]
}
