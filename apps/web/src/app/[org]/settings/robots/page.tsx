import type { Metadata } from 'next'
import { RobotsPage } from '@/components/robots/robots-page'

export const metadata: Metadata = { title: 'Robots' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <RobotsPage org={org} />
}
