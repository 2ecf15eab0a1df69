import { services } from '../../../server/services'

export const dynamic = 'force-dynamic'

/** 200 also when degraded: the panel itself answers, `status` and `parts` tell the rest. */
export async function GET() {
  return Response.json(await services().health.get(), { headers: { 'cache-control': 'no-store' } })
}
