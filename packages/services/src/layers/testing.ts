/** For tests: images in the registry's tables whose layers are read, from a few lines per layer. */
import { createHash, randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { LayerListing } from '@slipway/contracts'
import { newId } from '@slipway/core'
import { type Db, saveLayerIndex } from '@slipway/db'
import { readDocument } from './document'
import { namesOf } from './names'

/** `path`: its content, `{ to }` a symlink, null a directory; `-path` a whiteout, `=path` an opaque directory. */
export type LayerFiles = Record<string, string | { to: string } | { hard: string } | { mode: number; text: string } | null>

export function listingOf(files: LayerFiles, packages: LayerListing['packages'] = []): LayerListing {
  const rows = Object.entries(files).map(([key, what], entry) => {
    const path = key.replace(/^[-=]/, '')
    const text = typeof what === 'string' ? what : what && 'text' in what ? what.text : ''
    const kind = key.startsWith('-')
      ? 'w'
      : key.startsWith('=')
        ? 'o'
        : what === null
          ? 'd'
          : typeof what === 'object' && 'to' in what
            ? 'l'
            : typeof what === 'object' && 'hard' in what
              ? 'h'
              : 'f'
    const link = what && typeof what === 'object' ? ('to' in what ? what.to : 'hard' in what ? what.hard : null) : null
    return { path, kind, text, link, mode: what && typeof what === 'object' && 'mode' in what ? what.mode : 0o644, entry }
  })
  rows.sort(
    (a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)) || Number(!'wo'.includes(a.kind)) - Number(!'wo'.includes(b.kind)),
  )
  const half = (text: string) => createHash('sha256').update(text).digest().subarray(0, 16)
  const content = rows.filter((row) => 'fh'.includes(row.kind))
  return {
    v: 1,
    paths: rows.map((row) => row.path),
    kinds: rows.map((row) => row.kind).join(''),
    modes: rows.map((row) => row.mode),
    uids: rows.map(() => 0),
    gids: rows.map(() => 0),
    sizes: rows.map((row) => row.text.length),
    mtimes: rows.map(() => 1_700_000_000),
    entries: rows.map((row) => row.entry),
    links: rows.flatMap((row, at) => (row.link === null ? [] : [[at, row.link] as [number, string]])),
    digests: Buffer.concat(
      content.map((row) => half(rows.find((one) => one.path === row.link && one.kind === 'f')?.text ?? row.text)),
    ).toString('base64'),
    packages,
    notes: [],
  }
}

/** A blob's row, read; gives its digest, which is the listing's. */
export async function readLayer(db: Db, listing: LayerListing, key = ''): Promise<string> {
  const document = gzipSync(JSON.stringify(listing))
  const digest = `sha256:${createHash('sha256').update(document).update(key).digest('hex')}`
  if (await db.layerIndex.findUnique({ where: { digest }, select: { digest: true } })) return digest
  await db.blob.upsert({ where: { digest }, create: { digest, size: document.length }, update: {} })
  const parsed = await readDocument(document)
  await saveLayerIndex(db, digest, {
    entries: parsed.length,
    bytes: BigInt(parsed.bytes),
    document: new Uint8Array(document),
    names: await namesOf(parsed),
    packages: listing.packages,
  })
  return digest
}

/** An image of these layers, lowest first, in a repository of the organization that is made when it is not there. `linked`: whether it has their blobs. */
export async function imageOf(
  db: Db,
  organizationId: string,
  name: string,
  layers: string[],
  { tag = 'latest', config = {}, mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip', linked = true } = {},
): Promise<{ repository: string; reference: string; digest: string }> {
  const repository =
    (await db.repository.findFirst({ where: { organizationId, name } })) ??
    (await db.repository.create({ data: { id: newId('repository'), organizationId, name } }))
  const digest = `sha256:${createHash('sha256')
    .update(`${layers.join()} ${JSON.stringify(config)} ${randomUUID()}`)
    .digest('hex')}`
  const manifest = await db.manifest.create({
    data: {
      id: newId('manifest'),
      repositoryId: repository.id,
      organizationId,
      digest,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      content: new Uint8Array(2),
      size: 2,
      totalSize: 2n,
      os: 'linux',
      architecture: 'amd64',
      config,
      pushedBy: 'Ada',
      layers: {
        create: layers.map((layer, position) => ({ position, digest: layer, mediaType, size: 100n, createdBy: `RUN step ${position}` })),
      },
    },
  })
  const kept = await db.blob.findMany({ where: { digest: { in: linked ? layers : [] } }, select: { digest: true, size: true } })
  for (const { digest: layer, size } of kept)
    await db.repositoryBlob.upsert({
      where: { repositoryId_digest: { repositoryId: repository.id, digest: layer } },
      create: { repositoryId: repository.id, digest: layer, size },
      update: {},
    })
  const where = { repositoryId_name: { repositoryId: repository.id, name: tag } }
  await db.tag.upsert({
    where,
    create: { repositoryId: repository.id, name: tag, manifestId: manifest.id, pushedBy: 'Ada' },
    update: { manifestId: manifest.id },
  })
  return { repository: name, reference: tag, digest }
}
