/** takes: a push of GitHub, GitLab, Gitea or Forgejo · gives: a verified push (packages/services/src/webhooks) */
import { services } from '../../../../server/services'

export const dynamic = 'force-dynamic'

export async function POST(request: Request, { params }: { params: Promise<{ webhookId: string }> }) {
  const { status, body } = await services().webhooks.receive((await params).webhookId, request)
  return Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
}
