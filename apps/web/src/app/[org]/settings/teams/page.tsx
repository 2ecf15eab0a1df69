import type { Metadata } from 'next'
import { TeamsPage } from '@/components/organization/teams'

export const metadata: Metadata = { title: 'Teams' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <TeamsPage org={org} />
}
