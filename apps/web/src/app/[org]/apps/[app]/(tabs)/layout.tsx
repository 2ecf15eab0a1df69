import type { ReactNode } from 'react'
import { AppFrame } from '@/components/app/app-frame'

export default async function AppLayout({ children, params }: { children: ReactNode; params: Promise<{ org: string; app: string }> }) {
  const { org, app } = await params
  return (
    <AppFrame org={org} app={app}>
      {children}
    </AppFrame>
  )
}
