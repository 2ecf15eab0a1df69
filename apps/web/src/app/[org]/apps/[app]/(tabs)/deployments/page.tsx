import type { Metadata } from 'next'
import { AppDeployments } from '@/components/deployments/app-deployments'

interface Props {
  params: Promise<{ org: string; app: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app } = await params
  return { title: `Deployments of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app } = await params
  return <AppDeployments org={org} app={app} />
}
