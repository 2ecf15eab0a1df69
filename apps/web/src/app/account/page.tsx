import type { Metadata } from 'next'
import { AccountPage } from '@/components/account/account-page'

export const metadata: Metadata = { title: 'Account' }

export default async function Page({ searchParams }: { searchParams: Promise<{ from?: string | string[] }> }) {
  const { from } = await searchParams
  return <AccountPage from={typeof from === 'string' ? from : null} />
}
