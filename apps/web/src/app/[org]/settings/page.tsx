import type { Metadata } from 'next'
import { OrganizationSettings } from '@/components/organization/organization-settings'

export const metadata: Metadata = { title: 'Settings' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <OrganizationSettings org={org} />
}
