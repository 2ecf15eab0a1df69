'use client'
import type { views } from '@slipway/contracts'
import { Button, Dialog, StatusPill, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { RotateCcw } from 'lucide-react'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { DELIVERY, eventWord } from './words'

/** The last request of a delivery and what it was answered. */
export function DeliveryDialog({ org, id, enabled, onClose }: { org: string; id: string | null; enabled: boolean; onClose: () => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(trpc.outgoing.delivery.queryOptions({ org, id: id ?? 'none_' }, { enabled: id !== null }))
  const again = useMutation(
    trpc.outgoing.redeliver.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        toast('Sent again', { description: 'It is the first of the deliveries.' })
        void client.invalidateQueries(trpc.outgoing.deliveries.queryFilter({ org }))
        onClose()
      },
    }),
  )
  return (
    <Dialog
      open={id !== null}
      onOpenChange={(open) => !open && onClose()}
      title="Delivery"
      wide
      footer={
        <>
          <Button onClick={onClose}>Close</Button>
          <Button
            icon={<RotateCcw aria-hidden />}
            pending={again.isPending}
            disabled={!enabled || id === null}
            onClick={() => id !== null && again.mutate({ org, id })}
          >
            Send again
          </Button>
        </>
      }
    >
      <Load query={query} what="the delivery">
        {(delivery) => <Detail delivery={delivery} />}
      </Load>
      <InlineError error={again.error} />
    </Dialog>
  )
}

function Detail({ delivery: d }: { delivery: views.OutgoingDeliveryDetail }) {
  const { tone, word } = DELIVERY[d.state]
  return (
    <>
      <p className="flex flex-wrap items-center gap-2 text-sm">
        <StatusPill tone={tone}>{word}</StatusPill>
        {eventWord(d.kind)}
        {d.repository && <span className="text-ink-2">· {d.repository}</span>}
        <span className="font-mono text-ink-3 text-xs">{d.id}</span>
      </p>
      {d.error && <p className="break-words text-fail text-sm">{d.error}</p>}
      <Message title="Request" headers={d.request.headers} body={d.request.body} />
      {d.response && <Message title={`Response ${d.status}`} headers={d.response.headers} body={d.response.body} />}
    </>
  )
}

function Message({ title, headers, body }: { title: string; headers: Record<string, string>; body: string }) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return (
    <div className="grid min-w-0 gap-1.5">
      <h3 className="font-medium text-sm">{title}</h3>
      {/* A region that scrolls is reached from the keyboard. */}
      <section tabIndex={0} aria-label={title} className="max-h-72 overflow-auto rounded-sm border border-line bg-sunken p-3">
        <pre className="whitespace-pre-wrap break-all font-mono text-xs leading-5">
          {lines.length > 0 && <span className="text-ink-3">{`${lines.join('\n')}\n\n`}</span>}
          {pretty(body) || 'no body'}
        </pre>
      </section>
    </div>
  )
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
