import type { Metadata } from 'next'
import { MembersPage } from '@/components/organization/members'

export const metadata: Metadata = { title: 'Members' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <MembersPage org={org} />
}
