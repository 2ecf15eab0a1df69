/**
 * `GET /slipway/v1/images/{reference}/archive?format=oci|docker[&name=<reference>]` and `GET /slipway/v1/images/{reference}/files`
 * of the agent: a finished image as a tar (`application/x-tar`), written while it is sent. `{reference}` is one path segment,
 * percent-encoded: a name, or an image id.
 *
 * - `oci`: an OCI image layout (`oci-layout`, `index.json`, `blobs/sha256/…`), the image byte for byte.
 * - `docker`: for `docker load`; layers that are zstd are written as gzip, because older versions know no zstd.
 * - `files`: the root file system, all layers merged; of a name that stands for an index the host's own platform, or `?platform=`.
 * Either archive of a name that stands for an index holds the images of all its platforms.
 *
 * `name` is what the archive calls the image instead of `{reference}`. Refusals are Docker's `{"message"}` with 400 or 404. When
 * something fails in the middle the connection breaks off, so that a part is never taken for all of it. A client that takes
 * nothing for five minutes is dropped.
 */
import * as z from 'zod'

export const imageArchiveFormat = z.enum(['oci', 'docker'])
export type ImageArchiveFormat = z.infer<typeof imageArchiveFormat>
