import type { Metadata } from 'next'
import { notFound } from 'next/navigation'
import { BuildPage } from '@/components/builds/build-page'

interface Props {
  params: Promise<{ org: string; app: string; number: string }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { app, number } = await params
  return { title: `Build #${number} of ${app}` }
}

export default async function Page({ params }: Props) {
  const { org, app, number } = await params
  if (!/^[1-9]\d{0,8}$/.test(number)) notFound()
  return <BuildPage org={org} app={app} number={Number(number)} />
}
