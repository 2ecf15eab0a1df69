'use client'
import { Button, Card, CardHeader, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

/** Machines where `docker login` was done: docker keeps a token of the login there, not the password. */
export function RegistryLogins() {
  const trpc = useTRPC()
  const client = useQueryClient()
  const query = useQuery(trpc.me.logins.list.queryOptions())
  const end = useMutation(
    trpc.me.logins.end.mutationOptions({
      onSuccess: () => {
        toast('Logged out', { description: 'The client is refused within five minutes.' })
        void client.invalidateQueries(trpc.me.logins.list.queryFilter())
      },
    }),
  )
  return (
    <Card>
      <CardHeader title="Docker logins" />
      <Load query={query} what="your logins">
        {(logins) =>
          logins.length === 0 ? (
            <p className="px-4 py-5 text-ink-2 text-sm">
              None. After docker login, docker keeps a token instead of your password; each is listed here until you log it out, change your
              password, or leave it unused for 90 days.
            </p>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th>Client</Th>
                  <Th optional>Since</Th>
                  <Th>Last used</Th>
                  <Th>
                    <span className="sr-only">Log out</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {logins.map((login) => (
                  <Tr key={login.id}>
                    <Td className="max-w-0">
                      <p className="truncate font-medium">{login.client}</p>
                      <p className="truncate text-ink-3 text-xs leading-5">{login.apiKey ? `key ${login.apiKey}` : 'password'}</p>
                    </Td>
                    <Td optional className="text-ink-2">
                      <TimeAgo at={login.createdAt} />
                    </Td>
                    <Td className="text-ink-2">
                      <TimeAgo at={login.lastUsedAt} />
                      <p className="font-mono text-ink-3 text-xs leading-5">{login.lastUsedFrom}</p>
                    </Td>
                    <Td right>
                      <Button
                        size="s"
                        variant="danger-quiet"
                        pending={end.isPending && end.variables.id === login.id}
                        onClick={() => end.mutate({ id: login.id })}
                        aria-label={`Log out ${login.client}`}
                      >
                        Log out
                      </Button>
                    </Td>
                  </Tr>
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
    </Card>
  )
}
