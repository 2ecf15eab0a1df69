import type { Metadata } from 'next'
import { Invitation } from '@/components/auth/invitation'

// The token is in the address: it must not leave with a Referer.
export const metadata: Metadata = { title: 'Invitation', referrer: 'no-referrer' }

export default async function Page({ params }: { params: Promise<{ token: string }> }) {
  const { token } = await params
  return <Invitation token={token} />
}
