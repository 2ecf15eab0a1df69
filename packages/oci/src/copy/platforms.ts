/** Some platforms of an index: one is that image itself; several are an index of these, which is another one than the source's. */
import { AppError } from '@slipway/core'
import type { FetchedManifest } from '../client'
import { digestOf } from '../digest'
import { parseManifest } from '../manifest'

export async function onlyPlatforms(
  found: FetchedManifest,
  wanted: readonly string[],
  read: (digest: string) => Promise<FetchedManifest>,
): Promise<FetchedManifest> {
  // An image that is no index is of one platform, and its own configuration says which: there is nothing to choose.
  if (found.parsed.kind !== 'index') return found
  const { manifests } = found.parsed.manifest
  const there = manifests.flatMap(({ platform, digest }) =>
    platform && platform.os !== 'unknown' ? [{ name: nameOf(platform), digest }] : [],
  )
  const chosen = wanted.map((want) => {
    const one = there.find(({ name }) => matches(name, want))
    if (!one) throw noPlatform(want, [...new Set(there.map(({ name }) => name))])
    return one.digest
  })
  const [first, second] = [...new Set(chosen)]
  if (first !== undefined && second === undefined) return read(first)
  const index = JSON.parse(new TextDecoder().decode(found.bytes)) as {
    manifests: { digest: string; annotations?: Record<string, string> }[]
  }
  // What BuildKit puts beside an image (`unknown/unknown`) goes with it.
  const belongs = (entry: (typeof index.manifests)[number]) =>
    chosen.includes(entry.digest) || chosen.includes(entry.annotations?.['vnd.docker.reference.digest'] ?? '')
  const bytes = new TextEncoder().encode(JSON.stringify({ ...index, manifests: index.manifests.filter(belongs) }))
  return { digest: await digestOf(bytes), bytes, parsed: parseManifest(bytes, found.parsed.mediaType) }
}

const nameOf = ({ os, architecture, variant }: { os: string; architecture: string; variant?: string | undefined }) =>
  [os, architecture, variant].filter(Boolean).join('/')

/** `linux/arm64` means `linux/arm64/v8` too. */
const matches = (name: string, want: string) => name === want || (want.split('/').length === 2 && name.startsWith(`${want}/`))

const noPlatform = (want: string, there: string[]) =>
  new AppError({
    kind: 'not-found',
    code: 'PLATFORM_UNKNOWN',
    message: `The image is not there for ${want.slice(0, 60)}. It is there for ${there.slice(0, 12).join(', ') || 'no platform that is named'}.`,
  })
