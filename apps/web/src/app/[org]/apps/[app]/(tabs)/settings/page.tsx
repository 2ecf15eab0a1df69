import type { Metadata } from 'next'
import { AppSettings } from '@/components/settings/app-settings'

interface Props {
  params: Promise<{ org: string; app: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app } = await params
  return { title: `Settings of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app } = await params
  return <AppSettings org={org} app={app} />
}
