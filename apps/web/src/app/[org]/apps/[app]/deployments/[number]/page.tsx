import type { Metadata } from 'next'
import { notFound } from 'next/navigation'
import { DeploymentPage } from '@/components/deployments/deployment-page'

interface Props {
  params: Promise<{ org: string; app: string; number: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app, number } = await params
  return { title: `Deployment #${number} of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app, number } = await params
  if (!/^[1-9]\d{0,8}$/.test(number)) notFound()
  return <DeploymentPage org={org} app={app} number={Number(number)} />
}
