import { limited } from '../../../../server/limited'
import { services } from '../../../../server/services'

export const dynamic = 'force-dynamic'

const MAX_BODY = 64_000

const handler = (request: Request) => limited(request, MAX_BODY, (whole) => services().auth.handler(whole))

export { handler as GET, handler as POST }
