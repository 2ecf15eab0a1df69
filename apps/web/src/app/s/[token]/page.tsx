import type { Metadata } from 'next'
import { SharedImage, SharedNothing } from '@/components/shares/shared-image'
import { caller } from '../../../server/caller'

// The address is a secret: no search engine keeps it, and no link that is followed from here carries it on.
export const metadata: Metadata = { title: 'Shared image', robots: { index: false, follow: false }, referrer: 'no-referrer' }
export const dynamic = 'force-dynamic'

export default async function Page({ params }: { params: Promise<{ token: string }> }) {
  const { token } = await params
  const image = token.length > 200 ? null : await (await caller()).shares.open({ token })
  return image ? <SharedImage image={image} /> : <SharedNothing />
}
