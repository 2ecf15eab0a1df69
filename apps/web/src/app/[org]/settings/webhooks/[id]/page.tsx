import type { Metadata } from 'next'
import { WebhookPage } from '@/components/outgoing/webhook-page'

export const metadata: Metadata = { title: 'Webhook' }

export default async function Page({ params }: { params: Promise<{ org: string; id: string }> }) {
  const { org, id } = await params
  return <WebhookPage org={org} id={id} />
}
