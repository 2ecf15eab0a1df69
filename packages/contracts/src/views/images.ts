/** What the registry holds. */
import type { CommitView } from './common'

export interface RepositoryView {
  name: string
  /** slipway.local/acme/guestbook */
  reference: string
  visibility: 'private' | 'public'
  tags: number
  /** Unique blobs of this repository. */
  size: number
  lastPushedAt: Date | null
  lastPulledAt: Date | null
  pulls: number
  /** Apps that run an image of this repository. */
  runningIn: string[]
}

export interface TagView {
  name: string
  digest: string
  mediaType: string
  platforms: string[]
  size: number
  layers: number
  pushedBy: string
  pushedAt: Date
  build: { app: string; number: number } | null
  commit: CommitView | null
  runningIn: string[]
}

export interface ImageView {
  repository: string
  name: string
  digest: string
  mediaType: string
  tags: string[]
  platform: string | null
  size: number
  createdAt: Date | null
  pushedBy: string
  pushedAt: Date
  config: {
    entrypoint: string[] | null
    cmd: string[] | null
    env: string[]
    user: string | null
    workingDir: string | null
    exposedPorts: string[]
    volumes: string[]
    labels: Record<string, string>
    stopSignal: string | null
  } | null
  layers: LayerView[]
  children: { digest: string; platform: string; size: number | null }[]
  build: { app: string; number: number } | null
  commit: CommitView | null
  runsIn: { app: string; deployment: number; containers: number }[]
  /** Ready to copy. */
  commands: { docker: string; podman: string }
}

export interface LayerView {
  position: number
  digest: string
  mediaType: string
  size: number
  createdBy: string | null
  madeAt: Date | null
  /** Other images (manifests) of the organization with this layer. */
  sharedBy: number
}
