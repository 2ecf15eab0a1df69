import type { Metadata } from 'next'
import { WebhooksPage } from '@/components/outgoing/webhooks-page'

export const metadata: Metadata = { title: 'Webhooks' }

export default async function Page({ params }: { params: Promise<{ org: string }> }) {
  const { org } = await params
  return <WebhooksPage org={org} />
}
