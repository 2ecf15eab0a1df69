import type { Metadata } from 'next'
import { Repositories } from '@/components/images/repositories'

export const metadata: Metadata = { title: 'Images' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <Repositories org={org} />
}
