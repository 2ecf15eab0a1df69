import type { Metadata } from 'next'
import { AppVariables } from '@/components/variables/app-variables'

interface Props {
  params: Promise<{ org: string; app: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app } = await params
  return { title: `Variables of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app } = await params
  return <AppVariables org={org} app={app} />
}
