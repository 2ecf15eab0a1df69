'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, CopyButton, Segmented } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Eye, EyeOff } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useVisible } from '@/lib/use-visible'
import { Deliveries } from './deliveries'

type Provider = views.WebhookView['providers'][number]
const NAMES: Record<Provider, string> = { github: 'GitHub', gitlab: 'GitLab', gitea: 'Gitea, Forgejo' }

/** Where in each product the webhook is entered, in its own words. */
const STEPS: Record<Provider, (pullRequests: boolean) => string[]> = {
  github: (pullRequests) => [
    'In the repository: Settings → Webhooks → Add webhook.',
    'Payload URL: the address above. Content type: application/json. Secret: the secret above.',
    `${pullRequests ? 'Let me select individual events: Pushes and Pull requests.' : 'Just the push event.'} Add webhook; its first delivery appears below.`,
  ],
  gitlab: (pullRequests) => [
    'In the project: Settings → Webhooks → Add new webhook.',
    'URL: the address above. Secret token: the secret above.',
    `Trigger: Push events${pullRequests ? ' and Merge request events' : ''}. Add webhook, then Test → Push events.`,
  ],
  gitea: (pullRequests) => [
    'In the repository: Settings → Webhooks → Add webhook → Gitea (or Forgejo).',
    'Target URL: the address above. POST, application/json. Secret: the secret above.',
    pullRequests
      ? 'Trigger on custom events: Push, Pull request, and Pull request synchronized. Add webhook, then Test delivery.'
      : 'Trigger on push events. Add webhook, then Test delivery.',
  ],
}

export function WebhookCard({ org, app }: { org: string; app: views.AppView }) {
  const trpc = useTRPC()
  const visible = useVisible()
  const query = useQuery(trpc.apps.webhook.queryOptions({ org, app: app.slug }, { refetchInterval: visible ? 5000 : false }))
  return (
    <Card id="webhook">
      <CardHeader
        title="Webhook"
        aside={
          app.settings.gitBranch && (
            <span className="font-mono text-xs">
              {app.settings.buildPullRequests ? 'pushes and pull requests' : 'pushes'} to {app.settings.gitBranch}
            </span>
          )
        }
      />
      <Load query={query} what="the webhook">
        {(webhook) => (
          <>
            <div className="grid grid-cols-[minmax(0,1fr)] gap-4 p-4">
              <p className="max-w-[72ch] text-ink-2 text-sm">
                The Git server calls this address on every push{app.settings.buildPullRequests && ', and for every pull request'}. It signs
                what it sends with the secret; anything else is refused.
              </p>
              <Address webhook={webhook} org={org} app={app.slug} />
              <HowTo providers={webhook.providers} pullRequests={app.settings.buildPullRequests} />
            </div>
            <Deliveries org={org} app={app.slug} deliveries={webhook.deliveries} />
          </>
        )}
      </Load>
    </Card>
  )
}

function Address({ webhook, org, app }: { webhook: views.WebhookView; org: string; app: string }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [shown, setShown] = useState(false)
  const rotate = useMutation(
    trpc.apps.rotateWebhookSecret.mutationOptions({
      onSuccess: (next) => {
        client.setQueryData(trpc.apps.webhook.queryKey({ org, app }), next)
        setShown(true)
      },
    }),
  )
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-2">
      <Line label="Address" value={webhook.url} copy={webhook.url} copyLabel="Copy the address" />
      <Line label="Secret" value={shown ? webhook.secret : '•'.repeat(24)} copy={webhook.secret} copyLabel="Copy the secret">
        <Button size="icon-s" variant="ghost" aria-label={shown ? 'Hide the secret' : 'Show the secret'} onClick={() => setShown(!shown)}>
          {shown ? <EyeOff aria-hidden /> : <Eye aria-hidden />}
        </Button>
        <Button
          size="s"
          variant="ghost"
          pending={rotate.isPending}
          onClick={() => rotate.mutate({ org, app })}
          title="The old secret stops working at once"
        >
          Renew
        </Button>
      </Line>
    </div>
  )
}

function Line({
  label,
  value,
  copy,
  copyLabel,
  children,
}: {
  label: string
  value: string
  copy: string
  copyLabel: string
  children?: ReactNode
}) {
  return (
    <div className="flex items-center gap-2 rounded-sm border border-line bg-sunken py-1 pr-1 pl-3 text-sm">
      <span className="w-16 shrink-0 text-ink-3 text-xs">{label}</span>
      <code className="min-w-0 flex-1 truncate font-mono text-xs">{value}</code>
      {children}
      <CopyButton text={copy} label={copyLabel} />
    </div>
  )
}

function HowTo({ providers, pullRequests }: { providers: Provider[]; pullRequests: boolean }) {
  const [provider, setProvider] = useState<Provider>(providers[0] ?? 'github')
  return (
    <div className="grid justify-items-start gap-3">
      <Segmented
        label="Git server"
        value={provider}
        onChange={setProvider}
        segments={providers.map((p) => ({ value: p, label: NAMES[p] }))}
      />
      <ol className="grid list-decimal gap-1 pl-5 text-ink-2 text-sm marker:text-ink-3">
        {STEPS[provider](pullRequests).map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
    </div>
  )
}
