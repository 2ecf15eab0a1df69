'use client'
import type { views } from '@slipway/contracts'
import { RowLink, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Webhook as Icon } from 'lucide-react'
import { useState } from 'react'
import { ListedCard } from '@/components/settings/listed-card'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { WebhookForm } from './webhook-form'
import { eventWord, healthOf } from './words'

/** Where the organization's events go. */
export function WebhooksPage({ org }: { org: string }) {
  const query = useQuery(useTRPC().outgoing.list.queryOptions({ org }))
  const [adding, setAdding] = useState(false)
  return (
    <ListedCard
      title="Webhooks"
      query={query}
      itemsOf={(answer) => answer.webhooks}
      what="the webhooks"
      add="Add a webhook"
      onAdd={() => setAdding(true)}
      none={{
        icon: <Icon aria-hidden />,
        title: 'No webhook yet',
        text: 'A webhook tells another program what happens here: an image was pushed or deleted, a version is live, a build failed. Each delivery is signed, tried again for hours, and listed.',
      }}
      form={({ mayReachInside }) => (
        <WebhookForm org={org} webhook={null} mayReachInside={mayReachInside} open={adding} onOpenChange={setAdding} />
      )}
    >
      {(webhooks) => <WebhookTable org={org} webhooks={webhooks} />}
    </ListedCard>
  )
}

function WebhookTable({ org, webhooks }: { org: string; webhooks: views.OutgoingView[] }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th>Webhook</Th>
          <Th optional>Hears of</Th>
          <Th className="w-32">State</Th>
          <Th right optional className="w-28">
            Last
          </Th>
        </tr>
      </thead>
      <tbody>
        {webhooks.map((webhook) => {
          const { tone, word } = healthOf(webhook)
          return (
            <Tr key={webhook.id} interactive>
              <Td className="max-w-0">
                <RowLink href={routes.webhook(org, webhook.id)} className="block truncate font-medium">
                  {webhook.name}
                </RowLink>
                <p className="truncate font-mono text-ink-3 text-xs leading-5">{webhook.url}</p>
              </Td>
              <Td optional className="max-w-64 truncate text-ink-2">
                {webhook.events.map(eventWord).join(', ')}
              </Td>
              <Td>
                <StatusPill tone={tone}>{word}</StatusPill>
              </Td>
              <Td right optional className="text-ink-2">
                {webhook.last ? <TimeAgo at={webhook.last.at} /> : '–'}
              </Td>
            </Tr>
          )
        })}
      </tbody>
    </Table>
  )
}
