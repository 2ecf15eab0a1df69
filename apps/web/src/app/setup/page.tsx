import type { Metadata } from 'next'
import { FirstAccount } from '@/components/auth/first-account'

// The token is in the address: it must not leave with a Referer.
export const metadata: Metadata = { title: 'First account', referrer: 'no-referrer' }

export default async function SetupPage({ searchParams }: { searchParams: Promise<{ token?: string | string[] }> }) {
  const { token } = await searchParams
  return <FirstAccount token={typeof token === 'string' ? token : ''} />
}
