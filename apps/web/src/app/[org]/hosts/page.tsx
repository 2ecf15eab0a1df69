import type { Metadata } from 'next'
import { Hosts } from '@/components/hosts/hosts'

export const metadata: Metadata = { title: 'Hosts' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <Hosts org={org} />
}
