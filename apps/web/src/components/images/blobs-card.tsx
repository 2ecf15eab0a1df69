import type { views } from '@slipway/contracts'
import { Card, CardHeader, Command } from '@slipway/ui'

/** Of OCI or Docker: names others instead of having files. */
export const isIndex = ({ mediaType }: views.ImageView) => /\.(index|manifest\.list)\./.test(mediaType)

/** An index that names blobs of its own and no image: BuildKit's cache. Nothing of it runs or has files. */
export const isOfBlobs = (image: views.ImageView) => isIndex(image) && image.children.length === 0 && image.layers.length > 0

export function BlobsCard({ image }: { image: views.ImageView }) {
  const reference = image.commands.docker.replace('docker pull ', '')
  return (
    <Card>
      <CardHeader title="A build cache" />
      <div className="grid gap-3 p-4">
        <p className="text-ink-2 text-sm leading-6">
          There is no image in it: these are results of build steps, as BuildKit leaves them with <code>--cache-to type=registry</code>. A
          build begins with them when it is told where they are.
        </p>
        <Command>{`docker buildx build --cache-from type=registry,ref=${reference} .`}</Command>
      </div>
    </Card>
  )
}
