'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, Hash, StatusPill, TimeAgo, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { Until } from '@/components/shares/share-dialog'
import { useTRPC } from '@/lib/trpc'

/** The keys that sign what clients pull and push with: how old they are, and another one on demand. */
export function KeysCard({ org }: { org: string }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [asking, setAsking] = useState(false)
  const query = useQuery(trpc.registryKeys.list.queryOptions({ org }, { refetchInterval: 60_000 }))
  const rotate = useMutation(
    trpc.registryKeys.rotate.mutationOptions({
      meta: { quiet: true },
      onSuccess: (view) => {
        client.setQueryData(trpc.registryKeys.list.queryKey({ org }), view)
        setAsking(false)
        toast('Another key signs now')
      },
    }),
  )
  return (
    <Card>
      <CardHeader
        title="Signing keys"
        aside={
          query.data && (
            <Button size="s" onClick={() => setAsking(true)}>
              Change the key…
            </Button>
          )
        }
      />
      <Load query={query} what="the signing keys">
        {({ keys }) => (
          <>
            <ul className="divide-y divide-line">
              {keys.map((key) => (
                <Key key={key.kid} of={key} />
              ))}
            </ul>
            <p className="border-line border-t px-4 py-3 text-ink-2 text-sm">
              What docker pulls and pushes with is signed with such a key. Another one signs every 90 days by itself, unless the registry’s
              settings say otherwise.
            </p>
          </>
        )}
      </Load>
      <ConfirmDialog
        open={asking}
        onOpenChange={(open) => {
          setAsking(open)
          if (!open) rotate.reset()
        }}
        title="Sign with another key"
        action="Change the key"
        danger={false}
        pending={rotate.isPending}
        error={<InlineError error={rotate.error} />}
        onConfirm={() => rotate.mutate({ org })}
      >
        <p>
          A new key signs from now on. Pulls and pushes under way go on, nobody has to log in again, and nothing restarts. What the key
          before it signed stays good until it ends.
        </p>
      </ConfirmDialog>
    </Card>
  )
}

function Key({ of: { kid, signs, at, until } }: { of: views.SigningKeyView }) {
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-3 text-sm">
      <StatusPill tone={signs ? 'live' : 'idle'}>{signs ? 'Signs' : 'Retired'}</StatusPill>
      <Hash copy={kid} label="the key’s id">
        {kid.slice(0, 12)}
      </Hash>
      <span className="ml-auto text-ink-3 text-xs">
        {signs ? 'made ' : ''}
        <TimeAgo at={at} />
        {until && (
          <>
            {' '}
            · taken until <Until at={until} />
          </>
        )}
      </span>
    </li>
  )
}
