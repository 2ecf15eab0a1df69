import type { Metadata } from 'next'
import { Activity } from '@/components/activity/activity'

export const metadata: Metadata = { title: 'Activity' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <Activity org={org} />
}
