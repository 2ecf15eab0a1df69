'use client'
import { Command, Link } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** The three commands that bring an image here. */
export function HowToPush({ org, repository = 'app' }: { org: string; repository?: string }) {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 60_000 }))
  const organization = useQuery(trpc.organizations.get.queryOptions({ org }))
  const host = organization.data?.registryHost
  if (!host) return null
  const name = `${host}/${org}/${repository}:latest`
  return (
    <div className="grid w-full gap-2 text-left">
      <Command>{`docker login ${host}${me.data ? ` -u ${me.data.email}` : ''}`}</Command>
      <Command>{`docker tag ${repository}:latest ${name}`}</Command>
      <Command>{`docker push ${name}`}</Command>
      <p className="text-ink-3 text-xs">
        The password is your account's, or better an{' '}
        <Link href={routes.account(org)} className="underline underline-offset-3 hover:text-ink">
          API key
        </Link>
        .
      </p>
    </div>
  )
}
