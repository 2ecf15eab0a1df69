import { imageFile } from '@slipway/api'
import { download } from '../../../../server/download'

export const dynamic = 'force-dynamic'

export const GET = download(imageFile)
