/** The base images of `npm run base-images`, as an archive for the engine: there is no registry here. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { loadImages } from '@slipway/testing/load-images'
import tar from 'tar-stream'
import { blobFile, type Image } from '../base-images/image.mjs'

/** Gives the engine an image under these names. */
export async function loadBase(socketPath: string, names: string[], image: Image): Promise<void> {
  const { config, layers } = JSON.parse(image.manifest) as { config: { digest: string }; layers: { digest: string }[] }
  const pack = tar.pack()
  const loading = loadImages(socketPath, pack)
  const name = (digest: string) => digest.replace(':', '-')
  for (const { digest, size } of image.blobs)
    await pipeline(createReadStream(blobFile(image.folder, digest)), pack.entry({ name: name(digest), size }))
  pack.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: name(config.digest), RepoTags: names, Layers: layers.map(({ digest }) => name(digest)) }]),
  )
  pack.finalize()
  await loading
}
