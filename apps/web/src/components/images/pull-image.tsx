'use client'
import type { views } from '@slipway/contracts'
import { Button, Command, Dialog, Link, Segmented } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { SquareTerminal } from 'lucide-react'
import { useState } from 'react'
import { useOutside } from '@/components/shell/outside-context'
import { loginCommand, plainHint } from '@/lib/clients'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

type Use = keyof views.ImageView['commands']
const USES: { value: Use; label: string }[] = [
  { value: 'docker', label: 'docker' },
  { value: 'podman', label: 'podman' },
  { value: 'skopeo', label: 'skopeo' },
  { value: 'slipway', label: 'Slipway' },
  { value: 'dockerfile', label: 'Dockerfile' },
]

/** The command for each client, for the very tag or digest that is looked at. */
export function PullImage({ org, image }: { org: string; image: views.ImageView }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button icon={<SquareTerminal aria-hidden />} onClick={() => setOpen(true)}>
        Pull
      </Button>
      <Dialog open={open} onOpenChange={setOpen} title="Pull this image" wide>
        <Commands org={org} image={image} />
      </Dialog>
    </>
  )
}

function Commands({ org, image }: { org: string; image: views.ImageView }) {
  const outside = useOutside()
  const trpc = useTRPC()
  const [use, setUse] = useState<Use>('docker')
  const me = useQuery(trpc.me.get.queryOptions(undefined, { staleTime: 60_000 }))
  const [host = ''] = image.commands.docker.replace('docker pull ', '').split('/')
  const isPlain = image.commands.podman.includes('--tls-verify=false')
  const uses = outside ? USES.filter((one) => one.value !== 'slipway' && one.value !== 'dockerfile') : USES
  const isClient = use === 'docker' || use === 'podman' || use === 'skopeo'
  return (
    <>
      <div className="-mx-1 overflow-x-auto px-1 py-0.5">
        <Segmented label="With" value={use} segments={uses} onChange={setUse} />
      </div>
      <div className="grid gap-2">
        {isClient && <Command label="Copy the login">{loginCommand(use, host, isPlain, me.data?.email)}</Command>}
        <Command>{image.commands[use]}</Command>
      </div>
      <p className="text-ink-3 text-xs leading-5">
        {use === 'slipway' ? (
          'Makes an app of it that runs on this installation, and waits until it serves.'
        ) : use === 'dockerfile' ? (
          'In a Dockerfile that is built here: slipway.local is always this registry, and no login is needed.'
        ) : (
          <>
            The password is your account’s, or better an{' '}
            <Link href={routes.account(org)} className="underline underline-offset-3 hover:text-ink">
              API key
            </Link>
            . {use === 'docker' && plainHint(host, isPlain)}
          </>
        )}
      </p>
    </>
  )
}
