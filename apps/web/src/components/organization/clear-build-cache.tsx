'use client'
import type { inputs, views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { ConfirmDialog, Segmented, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { z } from 'zod'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { count, Entries } from './build-cache-card'

type Choice = 'unused' | 'mounts' | 'all'
const CHOICES: { value: Choice; label: string }[] = [
  { value: 'unused', label: 'Unused for a week' },
  { value: 'mounts', label: 'Cache mounts' },
  { value: 'all', label: 'Everything' },
]
const INPUTS: Record<Choice, Omit<z.infer<typeof inputs.clearBuildCache>, 'org'>> = {
  unused: { unusedDays: 7 },
  mounts: { kind: 'mount' },
  all: {},
}

/** Shows what would go before it goes. */
export function ClearBuildCache({ org, open, onOpenChange }: { org: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [choice, setChoice] = useState<Choice>('unused')
  const input = { org, ...INPUTS[choice] }
  // Always anew: builds use and fill the cache meanwhile.
  const preview = useQuery(trpc.buildCache.preview.queryOptions(input, { enabled: open, staleTime: 0, gcTime: 0 }))
  const clear = useMutation(
    trpc.buildCache.clear.mutationOptions({
      meta: { quiet: true },
      onSuccess: ({ count: gone, bytes }) => {
        toast(`Cleared ${count(gone, 'entry', 'entries')}, ${formatBytes(bytes)}`)
        onOpenChange(false)
        void client.invalidateQueries(trpc.buildCache.get.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        onOpenChange(next)
        clear.reset()
      }}
      title="Clear the build cache"
      action={preview.data?.count ? `Clear ${formatBytes(preview.data.bytes)}` : 'Clear'}
      disabled={!preview.data?.count}
      pending={clear.isPending}
      error={<InlineError error={clear.error} />}
      onConfirm={() => clear.mutate(input)}
    >
      <Segmented label="What goes" value={choice} segments={CHOICES} onChange={setChoice} className="max-w-full flex-wrap" />
      <div className="mt-3">
        <Load query={preview} what="what would go">
          {(cleared) => <Preview cleared={cleared} />}
        </Load>
      </div>
    </ConfirmDialog>
  )
}

function Preview({ cleared }: { cleared: views.BuildCacheClearedView }) {
  if (cleared.count === 0) return <p>Nothing of this is in the cache.</p>
  const rest = cleared.count - Math.min(cleared.entries.length, 5)
  return (
    <>
      <p>
        {count(cleared.count, 'entry goes', 'entries go')}; builds that need them do the work again. {formatBytes(cleared.bytes)} come free.
        Images and what runs stay as they are.
      </p>
      <div className="mt-3 overflow-hidden rounded-md border border-line">
        <Entries entries={cleared.entries.slice(0, 5)} />
      </div>
      {rest > 0 && <p className="mt-2 text-ink-3 text-xs">and {rest.toLocaleString('en')} more</p>}
    </>
  )
}
