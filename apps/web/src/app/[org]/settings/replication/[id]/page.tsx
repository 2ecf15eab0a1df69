import type { Metadata } from 'next'
import { RulePage } from '@/components/replication/rule-page'

export const metadata: Metadata = { title: 'Replication' }

export default async function Page({ params }: { params: Promise<{ org: string; id: string }> }) {
  const { org, id } = await params
  return <RulePage org={org} id={id} />
}
