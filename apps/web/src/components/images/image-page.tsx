'use client'
import type { views } from '@slipway/contracts'
import { shortDigest } from '@slipway/core'
import { Card, Columns, Hash, LinkTabs, PageHead, Skeleton, SkeletonRows, StatusPill } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { notFound } from 'next/navigation'
import type { ReactNode } from 'react'
import { Load } from '@/components/load'
import { ShareImage } from '@/components/shares/share-dialog'
import { useOutside } from '@/components/shell/outside-context'
import { readError } from '@/lib/errors'
import { routes } from '@/lib/routes'
import { IMAGE_TABS, OUTSIDE_TABS, type Tab } from '@/lib/tabs'
import { useTRPC } from '@/lib/trpc'
import { AttachedCard } from './attached-card'
import { BlobsCard, isIndex, isOfBlobs } from './blobs-card'
import { CompareTab } from './compare-tab'
import { ConfigCard } from './config-card'
import { DeleteImage } from './delete-image'
import { DeployButton } from './deploy-button'
import { DownloadMenu } from './download-menu'
import { FilesTab } from './files/files-tab'
import { HistoryTab } from './history-tab'
import { ProvenanceCard, RunsInCard } from './image-facts'
import { LayersCard } from './layers-card'
import { PackagesCard } from './packages-card'
import { PlatformSwitch, PlatformsCard } from './platforms-card'
import { PullImage } from './pull-image'
import { RecordCard } from './record-card'
import { useMovedOr } from './use-moved'

export interface ImageTabProps {
  org: string
  repository: string
  /** Tag or digest, as in the address. */
  reference: string
  image: views.ImageView
}

/** By the end of the address; `lib/tabs.ts` has their order and names. */
const PAGES: Record<string, (props: ImageTabProps) => ReactNode> = {
  '': ImageOverview,
  files: FilesTab,
  compare: CompareTab,
  history: HistoryTab,
}

/** One image. */
export function ImagePage({ tab, ...at }: Omit<ImageTabProps, 'image'> & { tab: string | null }) {
  const { org, repository, reference } = at
  const trpc = useTRPC()
  const query = useMovedOr(org, repository, useQuery(trpc.images.get.queryOptions({ org, repository, reference })), (to) =>
    tab ? routes.imageTab(to.org, to.repository, reference, tab) : routes.image(to.org, to.repository, reference),
  )
  const outside = useOutside()
  const byDigest = reference.includes(':')
  // A digest names the same for ever.
  const tabs = IMAGE_TABS.filter((t) => (!outside || OUTSIDE_TABS.has(t.tab)) && !(byDigest && t.tab === 'history'))
  const Page = PAGES[tab ?? '']
  if (!Page || !(tab === null || tabs.some((t) => t.tab === tab))) notFound()
  const hrefOf = (t: string | null) => (t ? routes.imageTab(org, repository, reference, t) : routes.image(org, repository, reference))
  // A tag that was removed still has a history.
  if (tab === 'history' && query.data === undefined && readError(query.error).code === 'IMAGE_NOT_FOUND')
    return (
      <>
        <PageHead title={<ImageTitle {...at} />}>
          <StatusPill tone="idle">Not there</StatusPill>
        </PageHead>
        <HistoryTab {...at} />
      </>
    )
  return (
    <Load
      page
      query={query}
      what="this image"
      skeleton={<ImageSkeleton />}
      back={
        readError(query.error).code === 'REPOSITORY_NOT_FOUND'
          ? { href: routes.images(org), label: 'All images' }
          : { href: routes.repository(org, repository), label: 'All tags' }
      }
    >
      {(image) => (
        <>
          <ImageHead {...at} image={image} />
          <PlatformSwitch org={org} repository={repository} image={image} reference={reference} tab={tab} />
          <ImageTabs tabs={isOfBlobs(image) ? tabs.filter((t) => !OF_FILES.has(t.tab)) : tabs} active={tab} hrefOf={hrefOf} />
          <Page {...at} image={image} />
        </>
      )}
    </Load>
  )
}

/** What has no files has none of these. */
const OF_FILES = new Set<string | null>(['files', 'compare'])

function ImageTabs({ tabs, active, hrefOf }: { tabs: Tab[]; active: string | null; hrefOf: (tab: string | null) => string }) {
  if (tabs.length < 2) return null
  return <LinkTabs label="Image" active={hrefOf(active)} tabs={tabs.map((t) => ({ label: t.label, href: hrefOf(t.tab) }))} />
}

/** `shop:2.0`; of a digest the name alone. */
function ImageTitle({ repository, reference }: { repository: string; reference: string }) {
  return (
    <>
      {repository}
      {!reference.includes(':') && <span className="text-ink-3">:{reference}</span>}
    </>
  )
}

function ImageHead({ org, repository, reference, image }: ImageTabProps) {
  const outside = useOutside()
  const byDigest = reference.startsWith('sha256:')
  const name = `slipway.local/${org}/${repository}`
  const full = byDigest ? `${name}@${image.digest}` : `${name}:${reference}`
  const containers = image.runsIn.reduce((sum, r) => sum + r.containers, 0)
  return (
    <PageHead
      title={<ImageTitle repository={repository} reference={reference} />}
      actions={
        <>
          {!isOfBlobs(image) && <PullImage org={org} image={image} />}
          {!outside && <ShareImage org={org} repository={repository} reference={reference} />}
          {image.platform && <DownloadMenu org={org} repository={repository} reference={reference} />}
          {!outside && !isOfBlobs(image) && <DeployButton org={org} image={image} reference={full} />}
        </>
      }
    >
      <Hash copy={image.digest} label="the digest">
        {shortDigest(image.digest)}
      </Hash>
      {image.runsIn.length > 0 && (
        <StatusPill tone="live">{containers === 1 ? 'Running in 1 container' : `Running in ${containers} containers`}</StatusPill>
      )}
    </PageHead>
  )
}

/** Its layers to scale with the step that made each, its configuration, where it runs. */
function ImageOverview({ org, repository, reference, image }: ImageTabProps) {
  const outside = useOutside()
  return (
    <>
      {image.layers.length > 0 && <LayersCard org={org} repository={repository} image={image} />}
      <Columns
        aside={
          <>
            {!outside && !isOfBlobs(image) && <RunsInCard org={org} image={image} />}
            <ProvenanceCard org={org} repository={repository} image={image} />
            <AttachedCard org={org} repository={repository} reference={image.digest} />
            {/* One platform goes with its index only. */}
            {!image.index && <DeleteImage org={org} repository={repository} reference={reference} image={image} />}
          </>
        }
      >
        {isOfBlobs(image) && <BlobsCard image={image} />}
        {image.children.length > 0 && <PlatformsCard org={org} repository={repository} image={image} />}
        <ConfigCard image={image} />
        {!isIndex(image) && <RecordCard org={org} repository={repository} reference={image.digest} image={image} />}
      </Columns>
      {!isIndex(image) && <PackagesCard org={org} repository={repository} reference={image.digest} image={image} />}
    </>
  )
}

function ImageSkeleton() {
  return (
    <>
      <Skeleton className="my-1 h-6 w-52" />
      <Card>
        <div className="p-4">
          <Skeleton className="h-[34px] w-full" />
        </div>
        <SkeletonRows rows={5} label="Loading this image" />
      </Card>
    </>
  )
}
