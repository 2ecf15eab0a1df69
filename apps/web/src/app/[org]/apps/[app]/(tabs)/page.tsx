import type { Metadata } from 'next'
import { AppOverview } from '@/components/app/app-overview'

interface Props {
  params: Promise<{ org: string; app: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app } = await params
  return { title: app }
}

export default async function Page({ params }: Props) {
  const { org, app } = await params
  return <AppOverview org={org} app={app} />
}
