/** The base images of `npm run base-images`, as an archive for the engine: there is no registry here. */
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { blobFile, type Image } from '../base-images/image.mjs'

/** Gives the engine an image under these names. */
export async function loadBase(socketPath: string, names: string[], image: Image): Promise<void> {
  const { config, layers } = JSON.parse(image.manifest) as { config: { digest: string }; layers: { digest: string }[] }
  const pack = tar.pack()
  const sending = new Promise<string>((resolve, reject) => {
    const call = request({
      socketPath,
      method: 'POST',
      path: '/images/load',
      headers: { host: 'engine', 'content-type': 'application/x-tar' },
    })
    call.once('error', reject).once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => resolve(`${response.statusCode} ${text}`))
    })
    pipeline(pack, call).catch(reject)
  })
  const name = (digest: string) => digest.replace(':', '-')
  for (const { digest, size } of image.blobs)
    await pipeline(createReadStream(blobFile(image.folder, digest)), pack.entry({ name: name(digest), size }))
  pack.entry(
    { name: 'manifest.json' },
    JSON.stringify([{ Config: name(config.digest), RepoTags: names, Layers: layers.map(({ digest }) => name(digest)) }]),
  )
  pack.finalize()
  const answer = await sending
  if (!answer.startsWith('200') || answer.includes('"error"')) throw new Error(`${names[0]} was not loaded: ${answer.slice(0, 500)}`)
}
