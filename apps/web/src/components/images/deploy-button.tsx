'use client'
import type { views } from '@slipway/contracts'
import { Button, LinkButton, Tooltip } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { Rocket } from 'lucide-react'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** Nothing is emulated: what no host can run is not offered. While the hosts are not known yet, it is. */
export function DeployButton({ org, image, reference }: { org: string; image: views.ImageView; reference: string }) {
  const trpc = useTRPC()
  const hosts = useQuery(trpc.hosts.list.queryOptions({ org }))
  const wanted = [image.platform, ...image.children.map((child) => child.platform)].flatMap((platform) => platform ?? [])
  const there = new Set(hosts.data?.flatMap((host) => (host.architecture ? [goName(host.architecture)] : [])))
  const runs = there.size === 0 || wanted.length === 0 || wanted.some((platform) => there.has(platform.split('/')[1] ?? ''))
  const icon = <Rocket aria-hidden />
  if (runs)
    return (
      <LinkButton variant="primary" icon={icon} href={routes.newApp(org, { image: reference })}>
        Deploy
      </LinkButton>
    )
  return (
    <Tooltip content={`This image is for ${wanted.join(', ')}; the hosts are ${[...there].map((name) => `linux/${name}`).join(', ')}.`}>
      <Button variant="primary" icon={icon} aria-disabled className="cursor-not-allowed opacity-50">
        Deploy
      </Button>
    </Tooltip>
  )
}

/** As image platforms name it, whatever the kernel calls it. */
const goName = (architecture: string) => ({ x86_64: 'amd64', x64: 'amd64', aarch64: 'arm64' })[architecture] ?? architecture
