import type { Metadata } from 'next'
import { ReplicationPage } from '@/components/replication/replication-page'

export const metadata: Metadata = { title: 'Replication' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <ReplicationPage org={org} />
}
