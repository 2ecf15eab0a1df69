import type { Metadata } from 'next'
import { AllApps } from '@/components/apps/all-apps'

export const metadata: Metadata = { title: 'Apps' }

export default async function AppsPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <AllApps org={org} />
}
