import type { Metadata } from 'next'
import { AllBuilds } from '@/components/builds/all-builds'

export const metadata: Metadata = { title: 'Builds' }

export default async function BuildsPage({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <AllBuilds org={org} />
}
