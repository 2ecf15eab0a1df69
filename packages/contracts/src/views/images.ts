/** What the registry holds. */
import type { BuildSummary } from './builds'
import type { CommitView, Page, Visibility } from './common'

export interface RepositoryView {
  name: string
  /** slipway.local/acme/guestbook */
  reference: string
  visibility: Visibility
  /** What it says of itself in a line; empty: nothing. */
  description: string
  labels: Record<string, string>
  tags: number
  /** Unique blobs of this repository. */
  size: number
  lastPushedAt: Date | null
  lastPulledAt: Date | null
  pulls: number
  /** Apps that run an image of this repository. */
  runningIn: string[]
}

/** The build that made an image. */
export interface BuildRefView {
  /** Slug. */
  app: string
  number: number
  /** Who started it: a person; for a push the commit's author, or who told of it. */
  by: string
  trigger: BuildSummary['trigger']
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
  pulls: number
  lastPulledAt: Date | null
  build: BuildRefView | null
  commit: CommitView | null
  runningIn: string[]
}

export type RemovedBecause = 'tag' | 'image' | 'retention' | 'upstream'

/** A tag was set or removed. */
export interface TagMoveView {
  id: string
  at: Date
  /** When the tag moved on; null: this is where it is. */
  until: Date | null
  by: string | null
  /** Of a removal. */
  why: RemovedBecause | null
  /** What it named from then on; null: the tag was removed. */
  version: {
    digest: string
    size: number | null
    /** Null: the image is gone. */
    mediaType: string | null
    /** What is known of it. */
    gone: { at: Date | null; by: string | null; why: RemovedBecause | null } | null
    /** Digest of the version before it that is still there. */
    previous: string | null
    build: BuildRefView | null
    commit: CommitView | null
    runningIn: string[]
  } | null
}

export interface TagHistoryView extends Page<TagMoveView> {
  /** Whether the caller's role lets them set tags here; a rule may still refuse one. */
  mayPoint: boolean
}

/** A manifest that no tag names, that is no part of an index and attached to nothing. */
export interface UntaggedView {
  digest: string
  mediaType: string
  artifactType: string | null
  platform: string | null
  size: number
  pushedBy: string
  pushedAt: Date
  lastPulledAt: Date | null
  /** The tag that named it last, as far as is known, and when it moved on. */
  lastTag: { name: string; until: Date | null } | null
  build: BuildRefView | null
  commit: CommitView | null
  runningIn: string[]
}

export interface UntaggedPageView extends Page<UntaggedView> {
  /** Retention takes those that are older and run nowhere; null: they stay. */
  removedAfterDays: number | null
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
  /** The index that it is one platform of, by tag or digest, with all of them. */
  index: { reference: string; platforms: { digest: string; platform: string }[] } | null
  build: BuildRefView | null
  commit: CommitView | null
  runsIn: { app: string; deployment: number; containers: number }[]
  /** Ready to copy, for the tag or digest that was asked for. */
  commands: PullCommandsView & { slipway: string; dockerfile: string }
}

/** For clients elsewhere that are logged in, or with the credentials in them. */
export interface PullCommandsView {
  docker: string
  podman: string
  skopeo: string
}

export interface LayerView {
  position: number
  digest: string
  mediaType: string
  size: number
  createdBy: string | null
  madeAt: Date | null
  /** Other images (manifests) of the organization with this layer; 999: at least as many. */
  sharedBy: number
}

/** Who attached a document, and when. Nothing is signed: whoever may push to a repository may attach. */
export interface AttachedView {
  /** Of the referrer's manifest. */
  digest: string
  pushedBy: string
  pushedAt: Date
  /** Bytes of the document. */
  size: number
}
/** Something that lies beside an image in the registry and is about it. What is signed was not verified by us. */
export interface AttachmentView {
  /** Of its manifest. */
  digest: string
  kind: 'signature' | 'sbom' | 'attestation' | 'other'
  /** `artifactType`, or the media type where there is none. */
  type: string
  /** Of the tag that attaches it, as cosign does; null: its manifest names the image. */
  tag: string | null
  size: number
  pushedBy: string
  pushedAt: Date
}
/** A document as it was attached, for a file of that name. */
export interface DocumentView {
  name: string
  text: string
}
export interface SbomView extends AttachedView {
  /** `slipway-agent-0.1.0`. */
  tools: string[]
  /** The first 5,000, in the document's order. */
  packages: PackageView[]
  total: number
  /** Of all packages, by type; the most frequent first. */
  types: { type: string; count: number }[]
  /** What its maker left out, in sentences. */
  notes: string[]
}
export interface PackageView {
  /** As in its package URL: `deb`, `apk`, `rpm`, `npm`, `pypi`, `golang`; null without one. */
  type: string | null
  name: string
  version: string | null
  /** An SPDX expression, or the name it was given; null: not told. */
  license: string | null
  purl: string | null
  /** The file that tells of it. */
  path: string | null
  /** Position in the image's layers. */
  layer: number | null
}
export interface ProvenanceView extends AttachedView {
  buildType: string
  builder: string
  builderVersion: string | null
  invocation: string | null
  startedAt: Date | null
  finishedAt: Date | null
  /** Of Slipway's own builds; null for other builders. */
  source: {
    /** Null: built from uploaded files. */
    git: { repository: string; ref: string; commit: string } | null
    /** Digest of the uploaded files. */
    tree: string | null
    dockerfile: string
    context: string
    target: string | null
  } | null
  /** As the build was told; null: it does not say. */
  platform: string | null
  buildArgs: { key: string; value: string }[]
  /** Names only. */
  secrets: string[]
  /** What went in: the commit, base images. At most 100. */
  materials: { uri: string; name: string | null; digest: string | null }[]
}
