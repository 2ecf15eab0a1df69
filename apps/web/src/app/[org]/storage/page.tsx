import type { Metadata } from 'next'
import { StoragePage } from '@/components/storage/storage-page'

export const metadata: Metadata = { title: 'Storage' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <StoragePage org={org} />
}
