'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import {
  Button,
  Callout,
  Card,
  CardHeader,
  ConfirmDialog,
  KeyValue,
  Menu,
  MenuItem,
  StatusPill,
  TimeAgo,
  type Tone,
  toast,
} from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Eraser, MoreHorizontal, Pencil, PlugZap, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { UpstreamForm } from './upstream-form'

export function UpstreamCard({ org, item }: { org: string; item: views.UpstreamView }) {
  const [asked, setAsked] = useState<'edit' | 'empty' | 'remove' | null>(null)
  const close = () => setAsked(null)
  const { managed } = item
  if (!managed) return null
  const { tone, word } = stateOf(item, managed)
  return (
    <Card>
      <CardHeader
        title={<span className="break-all">{item.host}</span>}
        extra={<StatusPill tone={tone}>{word}</StatusPill>}
        aside={<Actions org={org} item={item} managed={managed} onAsk={setAsked} />}
      />
      {managed.lastError && item.enabled && (
        <Callout tone="fail" className="mx-4 mt-4">
          {managed.lastError.message} <TimeAgo at={managed.lastError.at} />
        </Callout>
      )}
      <div className="px-4 pt-4">
        <Bar used={managed.kept.bytes} limit={managed.limitBytes} />
      </div>
      <KeyValue
        items={[
          { key: 'Name here', value: <code className="font-mono text-xs">{item.prefix}/…</code> },
          { key: 'Address', value: <code className="font-mono text-xs">{managed.url}</code> },
          { key: 'Kept', value: keptOf(managed), wrap: true },
          { key: 'Pulls', value: pullsOf(managed), wrap: true },
          { key: 'Last contact', value: managed.lastContactAt ? <TimeAgo at={managed.lastContactAt} /> : 'Never' },
          { key: 'For', value: audienceOf(item, managed), wrap: true },
        ]}
      />
      <UpstreamForm org={org} item={item} managed={managed} open={asked === 'edit'} onOpenChange={(open) => !open && close()} taken={[]} />
      <Empty org={org} item={item} managed={managed} open={asked === 'empty'} onClose={close} />
      <Remove org={org} item={item} managed={managed} open={asked === 'remove'} onClose={close} />
    </Card>
  )
}

function stateOf({ enabled }: views.UpstreamView, { lastError, lastContactAt }: views.ManagedUpstream): { tone: Tone; word: string } {
  if (!enabled) return { tone: 'idle', word: 'Off' }
  if (lastError) return { tone: 'fail', word: 'Failing' }
  return lastContactAt ? { tone: 'live', word: 'Answers' } : { tone: 'idle', word: 'Not asked yet' }
}

const plural = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

function keptOf({ kept }: views.ManagedUpstream): string {
  if (kept.manifests === 0) return 'Nothing yet'
  return `${plural(kept.tags, 'tag')} in ${plural(kept.repositories, 'repository', 'repositories')}, ${plural(kept.blobs, 'layer and configuration', 'layers and configurations')}`
}

function pullsOf({ hits, misses, fetchedBytes }: views.ManagedUpstream): string {
  const all = hits + misses
  if (all === 0) return 'None yet'
  return `${Math.round((hits / all) * 100)}% from the cache (${hits.toLocaleString('en')} of ${plural(all, 'request')}), ${formatBytes(fetchedBytes)} fetched`
}

function audienceOf({ credentials }: views.UpstreamView, { shares, anonymous }: views.ManagedUpstream): string {
  if (!credentials) return anonymous ? 'Everybody who reaches the registry' : 'Every account of this installation'
  return shares.length === 0 ? 'No organization yet: share it with one' : `Members of ${shares.map(({ name }) => name).join(', ')}`
}

function Bar({ used, limit }: { used: number; limit: number }) {
  const percent = Math.min(100, (used / limit) * 100)
  return (
    <div>
      <div className="num mb-1.5 flex justify-between gap-3 text-xs">
        <span className="text-ink-2">{formatBytes(used)} kept</span>
        <span className="text-ink-3">of {formatBytes(limit)}</span>
      </div>
      <div
        className="h-2 overflow-hidden rounded-sm bg-sunken"
        role="meter"
        aria-label="Size of the cache"
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(used, limit)}
        aria-valuetext={`${formatBytes(used)} of ${formatBytes(limit)}`}
      >
        <div className="h-full bg-accent" style={{ width: used > 0 ? `max(3px, ${percent}%)` : 0 }} />
      </div>
    </div>
  )
}

interface ActionsProps {
  org: string
  item: views.UpstreamView
  managed: views.ManagedUpstream
  onAsk: (what: 'edit' | 'empty' | 'remove') => void
}

function Actions({ org, item, managed, onAsk }: ActionsProps) {
  const test = useMutation(
    useTRPC().upstreams.test.mutationOptions({
      onSuccess: ({ problem, milliseconds }) =>
        problem === null
          ? toast(`${item.host} answers`, { description: `In ${milliseconds} ms${item.credentials ? ', and takes the credentials' : ''}.` })
          : toast.error(`${item.host} cannot be used`, { description: problem }),
    }),
  )
  const { url, username, allowPrivate } = managed
  return (
    <>
      <Button
        size="s"
        icon={<PlugZap aria-hidden />}
        pending={test.isPending}
        onClick={() => test.mutate({ org, id: item.id, url, username, allowPrivate })}
      >
        Test
      </Button>
      <Menu trigger={<Button size="icon-s" variant="ghost" aria-label={`More for ${item.host}`} icon={<MoreHorizontal aria-hidden />} />}>
        <MenuItem icon={<Pencil aria-hidden />} onSelect={() => onAsk('edit')}>
          Edit
        </MenuItem>
        <MenuItem icon={<Eraser aria-hidden />} disabled={managed.kept.repositories === 0} onSelect={() => onAsk('empty')}>
          Empty the cache
        </MenuItem>
        <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => onAsk('remove')}>
          Remove
        </MenuItem>
      </Menu>
    </>
  )
}

interface DialogProps {
  org: string
  item: views.UpstreamView
  managed: views.ManagedUpstream
  open: boolean
  onClose: () => void
}

function Empty({ org, item, managed, open, onClose }: DialogProps) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const empty = useMutation(
    trpc.upstreams.empty.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ bytes }) => {
        toast('The cache is empty', { description: `The collector frees ${formatBytes(bytes)}, less what others share, within two hours.` })
        onClose()
        void client.invalidateQueries(trpc.upstreams.list.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title={`Empty the cache of ${item.host}`}
      action={`Remove ${formatBytes(managed.kept.bytes)}`}
      danger
      pending={empty.isPending}
      error={<InlineError error={empty.error} />}
      onConfirm={() => empty.mutate({ org, id: item.id })}
    >
      {keptOf(managed)} go. They are fetched again when they are pulled; until then they are not here when {item.host} is away.
    </ConfirmDialog>
  )
}

function Remove({ org, item, managed, open, onClose }: DialogProps) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const remove = useMutation(
    trpc.upstreams.remove.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        toast(`${item.host} is removed`)
        onClose()
        void client.invalidateQueries(trpc.upstreams.list.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title={`Remove ${item.host}`}
      action="Remove"
      danger
      pending={remove.isPending}
      error={<InlineError error={remove.error} />}
      onConfirm={() => remove.mutate({ org, id: item.id })}
    >
      Its settings and what was kept of it go ({formatBytes(managed.kept.bytes)}). Builds and deployments then ask {item.host} themselves,
      and fail while it is away.
    </ConfirmDialog>
  )
}
