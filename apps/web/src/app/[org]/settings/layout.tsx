import type { ReactNode } from 'react'
import { SettingsFrame } from '@/components/organization/settings-frame'

export default async function Layout({ children, params }: { children: ReactNode; params: Promise<{ org: string }> }) {
  const { org } = await params
  return <SettingsFrame org={org}>{children}</SettingsFrame>
}
