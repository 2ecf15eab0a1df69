import type { ReactNode } from 'react'
import { Shell } from '@/components/shell/shell'

export default async function OrganizationLayout({ children, params }: { children: ReactNode; params: Promise<{ org: string }> }) {
  const { org } = await params
  return <Shell org={org}>{children}</Shell>
}
