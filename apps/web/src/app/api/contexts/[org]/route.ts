/** takes: files of a build context that the build host does not have · gives: how many bytes of them were new (`slipway build`) */
import { contextUpload } from '@slipway/api'
import { env } from '../../../../env'
import { log } from '../../../../server/log'
import { services } from '../../../../server/services'

export const dynamic = 'force-dynamic'

export async function POST(request: Request, { params }: { params: Promise<{ org: string }> }) {
  return contextUpload(request, (await params).org, {
    services: services(),
    headers: request.headers,
    responseHeaders: null,
    webUrl: env().SLIPWAY_WEB_URL,
    log: log(),
  })
}
