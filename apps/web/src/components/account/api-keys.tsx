'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, EmptyState, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { KeyRound, Plus } from 'lucide-react'
import { useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { NewKey } from './new-key'

const OPENS = { everything: 'everything', registry_write: 'registry', registry_read: 'registry, pull only' } as const

export function ApiKeys() {
  const trpc = useTRPC()
  const query = useQuery(trpc.me.apiKeys.list.queryOptions())
  const [creating, setCreating] = useState(false)
  const [revoking, setRevoking] = useState<views.ApiKeyView | null>(null)
  const button = (
    <Button size="s" icon={<Plus aria-hidden />} onClick={() => setCreating(true)}>
      New key
    </Button>
  )
  return (
    <Card>
      <CardHeader title="API keys" aside={button} />
      <Load query={query} what="your API keys">
        {(keys) =>
          keys.length === 0 ? (
            <EmptyState
              icon={<KeyRound aria-hidden />}
              title="No API key"
              actions={
                <Button variant="primary" onClick={() => setCreating(true)}>
                  Create a key
                </Button>
              }
            >
              For the command line, for scripts, and as the password of docker login. A key acts as you, as far as you let it.
            </EmptyState>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th>Name</Th>
                  <Th optional>Opens</Th>
                  <Th optional>Created</Th>
                  <Th optional>Last used</Th>
                  <Th>Expires</Th>
                  <Th>
                    <span className="sr-only">Revoke</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {keys.map((key) => (
                  <Tr key={key.id}>
                    <Td className="max-w-0">
                      <p className="truncate font-medium">{key.name}</p>
                      <p className="truncate font-mono text-ink-3 text-xs leading-5">{key.prefix}</p>
                    </Td>
                    <Td optional className="text-ink-2">
                      {OPENS[key.scope]}
                      {key.organization && <p className="truncate text-ink-3 text-xs leading-5">in {key.organization}</p>}
                    </Td>
                    <Td optional className="text-ink-2">
                      <TimeAgo at={key.createdAt} />
                    </Td>
                    <Td optional className="text-ink-2">
                      {key.lastUsedAt ? <TimeAgo at={key.lastUsedAt} /> : 'never'}
                    </Td>
                    <Td className="num whitespace-nowrap text-ink-2">
                      {key.expiresAt === null ? (
                        'never'
                      ) : key.expiresAt.getTime() < Date.now() ? (
                        <span className="text-fail">expired</span>
                      ) : (
                        key.expiresAt.toISOString().slice(0, 10)
                      )}
                    </Td>
                    <Td right>
                      <Button size="s" variant="danger-quiet" onClick={() => setRevoking(key)} aria-label={`Revoke ${key.name}`}>
                        Revoke
                      </Button>
                    </Td>
                  </Tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <NewKey open={creating} onOpenChange={setCreating} />
      <Revoke target={revoking} onDone={() => setRevoking(null)} />
    </Card>
  )
}

function Revoke({ target, onDone }: { target: views.ApiKeyView | null; onDone: () => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const revoke = useMutation(
    trpc.me.apiKeys.revoke.mutationOptions({
      meta: { quiet: true },
      onSuccess: (key) => {
        toast(`${key.name} is revoked`)
        onDone()
        void client.invalidateQueries(trpc.me.apiKeys.list.queryFilter())
      },
    }),
  )
  return (
    <ConfirmDialog
      open={target !== null}
      onOpenChange={(open) => {
        if (open) return
        onDone()
        revoke.reset()
      }}
      title={`Revoke ${target?.name ?? ''}`}
      action="Revoke"
      pending={revoke.isPending}
      error={<InlineError error={revoke.error} />}
      onConfirm={() => target && revoke.mutate({ id: target.id })}
    >
      Whatever uses this key is refused from the next request on.
    </ConfirmDialog>
  )
}
