import type { Metadata } from 'next'
import { RegistryPage } from '@/components/policies/registry-page'

export const metadata: Metadata = { title: 'Registry' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <RegistryPage org={org} />
}
