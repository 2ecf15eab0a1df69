import type { Metadata } from 'next'
import { UpstreamsPage } from '@/components/upstreams/upstreams-page'

export const metadata: Metadata = { title: 'Upstreams' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <UpstreamsPage org={org} />
}
