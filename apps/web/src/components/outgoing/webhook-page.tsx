'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Card, CardHeader, ConfirmDialog, KeyValue, MenuItem, StatusPill, TimeAgo, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { KeyRound, Pencil, Power, Send, Trash2, TriangleAlert } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { OneOf } from '@/components/settings/listed-card'
import { MoreMenu } from '@/components/settings/more-menu'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { Deliveries } from './deliveries'
import { SecretDialog, WebhookForm } from './webhook-form'
import { eventWord, healthOf } from './words'

export function WebhookPage({ org, id }: { org: string; id: string }) {
  const query = useQuery(useTRPC().outgoing.list.queryOptions({ org }))
  return (
    <OneOf
      query={query}
      itemsOf={(answer) => answer.webhooks}
      id={id}
      what="this webhook"
      back={{ href: routes.settingsTab(org, 'webhooks'), label: 'All webhooks' }}
    >
      {(webhook, { mayReachInside }) => <WebhookBody org={org} webhook={webhook} mayReachInside={mayReachInside} />}
    </OneOf>
  )
}

function WebhookBody({ org, webhook, mayReachInside }: { org: string; webhook: views.OutgoingView; mayReachInside: boolean }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const [editing, setEditing] = useState(false)
  const [asking, setAsking] = useState<'rotate' | 'remove' | null>(null)
  const [secret, setSecret] = useState<string | null>(null)
  const listed = (list: views.OutgoingListView) => client.setQueryData(trpc.outgoing.list.queryKey({ org }), list)
  const target = { org, id: webhook.id }
  const update = useMutation(trpc.outgoing.update.mutationOptions({ onSuccess: listed }))
  const test = useMutation(
    trpc.outgoing.test.mutationOptions({
      onSuccess: () => {
        toast('Test sent', { description: 'What becomes of it is the first of the deliveries.' })
        void client.invalidateQueries(trpc.outgoing.deliveries.queryFilter({ org, id: webhook.id }))
      },
    }),
  )
  const rotate = useMutation(
    trpc.outgoing.rotateSecret.mutationOptions({
      meta: { quiet: true },
      onSuccess: (made) => {
        setAsking(null)
        setSecret(made.secret)
      },
    }),
  )
  const remove = useMutation(
    trpc.outgoing.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: (list) => {
        router.push(routes.settingsTab(org, 'webhooks'))
        listed(list)
      },
    }),
  )
  const { tone, word } = healthOf(webhook)
  return (
    <>
      {webhook.disabledReason && (
        <Callout tone="fail" icon={<TriangleAlert aria-hidden />}>
          <p className="break-words">
            Slipway turned it off. {webhook.disabledReason} Mend the receiver, then turn it on; what it missed can be sent again below.
          </p>
        </Callout>
      )}
      <Card>
        <CardHeader
          title={webhook.name}
          aside={
            <div className="flex items-center gap-2">
              <Button
                size="s"
                icon={<Send aria-hidden />}
                pending={test.isPending}
                disabled={!webhook.enabled}
                onClick={() => test.mutate(target)}
              >
                Send a test
              </Button>
              <MoreMenu>
                <MenuItem icon={<Pencil aria-hidden />} onSelect={() => setEditing(true)}>
                  Change
                </MenuItem>
                <MenuItem icon={<Power aria-hidden />} onSelect={() => update.mutate({ ...target, enabled: !webhook.enabled })}>
                  {webhook.enabled ? 'Turn off' : 'Turn on'}
                </MenuItem>
                <MenuItem icon={<KeyRound aria-hidden />} onSelect={() => setAsking('rotate')}>
                  Renew the secret
                </MenuItem>
                <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => setAsking('remove')}>
                  Remove
                </MenuItem>
              </MoreMenu>
            </div>
          }
        />
        <KeyValue
          items={[
            {
              key: 'State',
              value: (
                <span className="flex flex-wrap items-center gap-2">
                  <StatusPill tone={tone}>{word}</StatusPill>
                  {webhook.enabled && webhook.failingSince && (
                    <span className="text-ink-3">
                      since <TimeAgo at={webhook.failingSince} />; turned off after three days
                    </span>
                  )}
                </span>
              ),
              wrap: true,
            },
            { key: 'Address', value: <span className="break-all font-mono text-xs">{webhook.url}</span>, wrap: true },
            { key: 'Hears of', value: webhook.events.map(eventWord).join(', '), wrap: true },
            {
              key: 'Repositories',
              value: webhook.repositories.length > 0 ? <span className="font-mono text-xs">{webhook.repositories.join(' ')}</span> : 'All',
              wrap: true,
            },
            ...(webhook.inside ? [{ key: 'Network', value: 'May reach private addresses' }] : []),
          ]}
        />
      </Card>
      <Deliveries org={org} webhook={webhook} />
      <WebhookForm org={org} webhook={webhook} mayReachInside={mayReachInside} open={editing} onOpenChange={setEditing} />
      <ConfirmDialog
        open={asking === 'rotate'}
        onOpenChange={(open) => !open && setAsking(null)}
        title={`Renew the secret of ${webhook.name}?`}
        action="Renew it"
        pending={rotate.isPending}
        error={<InlineError error={rotate.error} />}
        onConfirm={() => rotate.mutate(target)}
      >
        Deliveries are signed with the new one from now on: the receiver refuses them until it knows it.
      </ConfirmDialog>
      <ConfirmDialog
        open={asking === 'remove'}
        onOpenChange={(open) => !open && setAsking(null)}
        title={`Remove ${webhook.name}?`}
        action="Remove it"
        pending={remove.isPending}
        error={<InlineError error={remove.error} />}
        onConfirm={() => remove.mutate(target)}
      >
        Its deliveries are removed with it, also those that wait.
      </ConfirmDialog>
      {secret && <SecretDialog open onOpenChange={(open) => !open && setSecret(null)} title="The secret is renewed" secret={secret} />}
    </>
  )
}
