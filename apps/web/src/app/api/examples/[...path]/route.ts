/** The example repositories, read-only over Git's dumb HTTP protocol, so that the first deployment needs no other server. */
import { env } from '../../../../env'
import { readExample } from '../../../../server/examples'

export const dynamic = 'force-dynamic'

export async function GET(_request: Request, { params }: { params: Promise<{ path: string[] }> }) {
  const segments = (await params).path
  const bytes = await readExample(env().SLIPWAY_DATA, segments)
  if (!bytes) return new Response('not found\n', { status: 404 })
  const type = segments.at(-1) === 'refs' || segments.at(-1) === 'HEAD' ? 'text/plain' : 'application/octet-stream'
  return new Response(bytes, { headers: { 'content-type': type, 'cache-control': 'no-cache' } })
}
