import type { Metadata } from 'next'
import { Overview } from '@/components/overview/overview'

export const metadata: Metadata = { title: 'Overview' }

export default async function OverviewPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <Overview org={org} />
}
