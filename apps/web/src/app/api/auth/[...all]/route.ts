import { services } from '../../../../server/services'

export const dynamic = 'force-dynamic'

const handler = (request: Request) => services().auth.handler(request)

export { handler as GET, handler as POST }
