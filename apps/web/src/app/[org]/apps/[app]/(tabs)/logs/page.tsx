import type { Metadata } from 'next'
import { AppLogs } from '@/components/app/app-logs'

interface Props {
  params: Promise<{ org: string; app: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app } = await params
  return { title: `Logs of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app } = await params
  return <AppLogs org={org} app={app} />
}
