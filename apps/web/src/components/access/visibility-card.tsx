'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Card, CardHeader, ConfirmDialog, cn, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Building2, Check, Globe, Lock } from 'lucide-react'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { VISIBILITY_TEXT } from './roles'

const ORDER: views.Visibility[] = ['private', 'internal', 'public']
const ICONS = { private: Lock, internal: Building2, public: Globe }

/** Who may look and pull without a role. Making it public wants the name typed, because what was pulled once cannot be taken back. */
export function VisibilityCard({ org, repository, access }: { org: string; repository: string; access: views.RepositoryAccessView }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [asking, setAsking] = useState<views.Visibility | null>(null)
  const change = useMutation(
    trpc.access.setVisibility.mutationOptions({
      meta: { quiet: true },
      onSuccess: (view) => {
        client.setQueryData(trpc.access.repository.queryKey({ org, repository }), view)
        setAsking(null)
        toast(`${repository} is ${view.visibility} now`)
        void client.invalidateQueries(trpc.images.repository.queryFilter({ org, repository }))
        void client.invalidateQueries(trpc.images.repositories.queryFilter({ org }))
      },
    }),
  )
  const opens = asking === 'public'
  return (
    <Card>
      <CardHeader title="Visibility" />
      <ul aria-label="Visibility">
        {ORDER.map((value) => {
          const on = access.visibility === value
          const Icon = ICONS[value]
          return (
            <li key={value} className="flex flex-wrap items-center gap-x-3 gap-y-2 border-line border-b px-4 py-3 last:border-b-0">
              <Icon className={cn('size-4 shrink-0', on ? 'text-accent' : 'text-ink-3')} aria-hidden />
              <div className="min-w-0 flex-1 basis-56">
                <p className="font-medium text-sm">{VISIBILITY_TEXT[value].label}</p>
                <p className="text-ink-2 text-sm">{VISIBILITY_TEXT[value].hint}</p>
              </div>
              {on ? (
                <span className="inline-flex items-center gap-1.5 font-medium text-accent text-xs">
                  <Check className="size-3.5" aria-hidden /> Now
                </span>
              ) : (
                access.mayManage && (
                  <Button size="s" onClick={() => setAsking(value)}>
                    Make {value}
                  </Button>
                )
              )}
            </li>
          )
        })}
      </ul>
      <ConfirmDialog
        open={asking !== null}
        onOpenChange={(open) => {
          if (open) return
          setAsking(null)
          change.reset()
        }}
        title={`Make ${repository} ${asking ?? ''}`}
        action={`Make ${asking ?? ''}`}
        danger={opens}
        {...(opens && { typed: repository })}
        pending={change.isPending}
        error={<InlineError error={change.error} />}
        onConfirm={() => asking && change.mutate({ org, repository, visibility: asking, ...(opens && { confirm: repository }) })}
      >
        <p>{asking && VISIBILITY_TEXT[asking].hint}</p>
        {opens && (
          <Callout tone="fail" className="mt-3">
            All tags, old ones too. What was pulled once cannot be taken back.
          </Callout>
        )}
        {asking === 'private' && <p className="mt-2">Who has neither is refused: here at once, by the registry within five minutes.</p>}
      </ConfirmDialog>
    </Card>
  )
}
