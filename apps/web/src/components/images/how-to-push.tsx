'use client'
import { Command, Link, Segmented } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type Client, loginCommand, plainHint, pushCommands } from '@/lib/clients'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

const CLIENTS = (['docker', 'podman', 'skopeo'] as const).map((value) => ({ value, label: value }))

/** The commands that bring an image here, by client. */
export function HowToPush({ org, repository = 'app' }: { org: string; repository?: string }) {
  const trpc = useTRPC()
  const [client, setClient] = useState<Client>('docker')
  const me = useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 60_000 }))
  const organization = useQuery(trpc.organizations.get.queryOptions({ org }))
  if (!organization.data) return null
  const { registryHost: host, registryIsPlain: isPlain } = organization.data
  const local = repository.slice(repository.lastIndexOf('/') + 1)
  return (
    <div className="grid w-full grid-cols-[minmax(0,1fr)] gap-2 text-left">
      <div>
        <Segmented label="With" value={client} segments={CLIENTS} onChange={setClient} />
      </div>
      <Command label="Copy the login">{loginCommand(client, host, isPlain, me.data?.email)}</Command>
      {pushCommands(client, host, isPlain, `${org}/${repository}`, local).map((command) => (
        <Command key={command}>{command}</Command>
      ))}
      <p className="text-ink-3 text-xs leading-5">
        The password is your account’s, or better an{' '}
        <Link href={routes.account(org)} className="underline underline-offset-3 hover:text-ink">
          API key
        </Link>
        . {client === 'docker' && plainHint(host, isPlain)}
      </p>
    </div>
  )
}
