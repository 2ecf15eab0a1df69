import type { Metadata } from 'next'
import { AppBuilds } from '@/components/builds/app-builds'

interface Props {
  params: Promise<{ org: string; app: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app } = await params
  return { title: `Builds of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app } = await params
  return <AppBuilds org={org} app={app} />
}
