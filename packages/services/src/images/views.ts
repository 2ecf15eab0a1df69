import { imageConfig, OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import type { appsServing, buildsOfDigests, findChildManifests, findParentIndex, ManifestRow } from '@slipway/db'
import { commitView } from '../builds/views'
import type { ServicesConfig } from '../deps'
import type { Scope } from '../scope'
import { ownCommands, pullCommands } from './commands'

/** As docker's --platform; `v8` of arm64 is what everybody means by it. */
export const platformOf = ({ os, architecture, variant }: { os: string | null; architecture: string | null; variant?: string | null }) =>
  os ? [os, architecture ?? 'unknown', ...(variant && architecture !== 'arm64' ? [variant] : [])].join('/') : 'unknown'

/** The build that made an image. */
export const buildRef = (build: { app: { slug: string }; number: number; actorLabel: string; trigger: views.BuildRefView['trigger'] }) => ({
  app: build.app.slug,
  number: build.number,
  by: build.actorLabel,
  trigger: build.trigger,
})

type Rows<F extends (...args: never[]) => Promise<unknown[]>> = Awaited<ReturnType<F>>

interface Found {
  /** Tag or digest, as it was asked for. */
  reference: string
  manifest: ManifestRow
  /** In words. */
  pushedBy: string
  holders: Map<string, number>
  build: Rows<typeof buildsOfDigests>[number] | null
  serving: Rows<typeof appsServing>
  children: Rows<typeof findChildManifests>
  /** That it is one platform of. */
  index: Awaited<ReturnType<typeof findParentIndex>>
}

export function imageView(config: ServicesConfig, scope: Scope, repository: string, found: Found): views.ImageView {
  const { manifest, children, index } = found
  // Who is no member sees the image, not what of the organization made it, shares its layers or runs it.
  const { holders, build, serving } = scope.outside ? { holders: new Map<string, number>(), build: null, serving: [] } : found
  const path = `${scope.organization}/${repository}`
  const pulled = { path, reference: found.reference === manifest.digest ? `@${manifest.digest}` : `:${found.reference}` }
  const sizes = new Map(children.map((child) => [child.digest, Number(child.totalSize)]))
  return {
    repository,
    name: `${OWN_REGISTRY_HOST}/${path}`,
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    tags: manifest.tags.map((row) => row.name),
    platform: manifest.os ? platformOf(manifest) : null,
    size: Number(manifest.totalSize),
    // The newest layer is when the image was made; the row only knows when it was pushed.
    createdAt: manifest.layers.findLast((layer) => layer.madeAt !== null)?.madeAt ?? null,
    pushedBy: found.pushedBy,
    pushedAt: manifest.createdAt,
    config: configView(manifest.config),
    layers: manifest.layers.map(({ position, digest, mediaType, size, createdBy, madeAt }) => ({
      position,
      digest,
      mediaType,
      size: Number(size),
      createdBy,
      madeAt,
      sharedBy: Math.max(0, (holders.get(digest) ?? 1) - 1),
    })),
    children: manifest.children.map((child) => ({
      digest: child.digest,
      platform: platformOf(child),
      size: sizes.get(child.digest) ?? null,
    })),
    index: index && {
      reference: index.tags[0]?.name ?? index.digest,
      platforms: index.children.map((child) => ({ digest: child.digest, platform: platformOf(child) })),
    },
    build: build ? buildRef(build) : null,
    commit: build ? commitView(build) : null,
    runsIn: serving.flatMap(({ slug, servingDeployment }) =>
      servingDeployment ? [{ app: slug, deployment: servingDeployment.number, containers: servingDeployment._count.containers }] : [],
    ),
    commands: { ...pullCommands(config, pulled), ...ownCommands(pulled) },
  }
}

/** Pushed by anyone, so it may hold anything: what does not parse is not shown. */
function configView(stored: unknown): views.ImageView['config'] {
  const parsed = imageConfig.safeParse(stored)
  if (!parsed.success) return null
  const { Entrypoint, Cmd, Env, User, WorkingDir, ExposedPorts, Volumes, Labels, StopSignal } = parsed.data
  return {
    entrypoint: Entrypoint ?? null,
    cmd: Cmd ?? null,
    env: Env ?? [],
    user: User || null,
    workingDir: WorkingDir || null,
    exposedPorts: Object.keys(ExposedPorts ?? {}),
    volumes: Object.keys(Volumes ?? {}),
    labels: Labels ?? {},
    stopSignal: StopSignal ?? null,
  }
}
