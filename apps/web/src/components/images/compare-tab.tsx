'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Button, Card, CardHeader, EmptyState, Hash, Input, Link, SkeletonRows, Table, Td, Th, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { GitCompareArrows, Layers } from 'lucide-react'
import { useRouter, useSearchParams } from 'next/navigation'
import { type ReactNode, useState } from 'react'
import { Load } from '@/components/load'
import { parseImagePath, routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useFilesState } from './files/files-tab'
import type { ImageTabProps } from './image-page'

/** What is between this image and another one: files, packages, settings, layers. */
export function CompareTab(props: ImageTabProps) {
  const { org, repository, reference, image } = props
  const router = useRouter()
  const asked = useSearchParams().get('with') ?? ''
  const [text, setText] = useState(asked)
  const trpc = useTRPC()
  const tags = useQuery(trpc.images.tags.queryOptions({ org, repository, limit: 20 }))
  const others = (tags.data?.items ?? []).filter((one) => one.digest !== image.digest && one.name !== reference).slice(0, 8)
  const go = (other: string) => other.trim() !== '' && router.push(routes.compareImages(org, repository, reference, other.trim()))
  return (
    <>
      <Card>
        <CardHeader title="Compare with" />
        <form
          className="flex flex-wrap items-center gap-3 px-4 py-3"
          onSubmit={(event) => {
            event.preventDefault()
            go(text)
          }}
        >
          <Input
            aria-label="The other image"
            placeholder={`${repository}:tag, or name@sha256:…`}
            className="min-w-48 flex-1 sm:max-w-md"
            mono
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <Button type="submit" variant="primary" icon={<GitCompareArrows aria-hidden />}>
            Compare
          </Button>
          {others.length > 0 && (
            <span className="flex w-full flex-wrap items-center gap-2 text-sm">
              <span className="text-ink-3">Other tags here</span>
              {others.map((one) => (
                <Link
                  key={one.name}
                  href={routes.compareImages(org, repository, reference, `${repository}:${one.name}`)}
                  onClick={() => setText(`${repository}:${one.name}`)}
                  className="max-w-48 truncate rounded-[5px] border border-line bg-sunken px-1.5 font-mono text-xs leading-5 hover:border-line-strong hover:bg-hover"
                >
                  {one.name}
                </Link>
              ))}
            </span>
          )}
        </form>
        {asked === '' && (
          <EmptyState icon={<GitCompareArrows aria-hidden />} title="See what changed between two images">
            {others.length > 0
              ? 'Choose a tag, or name another image of this organization.'
              : 'Name another image of this organization: by its tag, or by its digest.'}
          </EmptyState>
        )}
      </Card>
      {asked !== '' && <Comparison {...props} other={otherOf(asked, repository)} />}
    </>
  )
}

/** `name:tag`, `name@sha256:…`, or a tag or a digest of this repository. */
function otherOf(text: string, repository: string): { repository: string; reference: string } {
  const clean = text.replace(/^slipway\.local\/[^/]+\//, '')
  if (/^sha256:[0-9a-f]{64}$/.test(clean)) return { repository, reference: clean }
  const parsed = parseImagePath(clean.split('/'))
  return parsed.reference ? { repository: parsed.name, reference: parsed.reference } : { repository, reference: clean }
}

function Comparison({ org, repository, image, other }: ImageTabProps & { other: { repository: string; reference: string } }) {
  const trpc = useTRPC()
  const mine = useFilesState(org, repository, image.digest)
  const theirs = useFilesState(org, other.repository, other.reference)
  const isRead = mine.data?.total != null && theirs.data?.total != null
  const query = useQuery(
    trpc.files.compare.queryOptions(
      { org, ...other, other: { repository, reference: image.digest } },
      { enabled: isRead, staleTime: 60_000, retry: false },
    ),
  )
  const failed = [mine, theirs].find((one) => one.error)
  if (failed)
    return (
      <Load query={failed} what="the other image" card>
        {() => null}
      </Load>
    )
  if (mine.data?.state === 'index' || theirs.data?.state === 'index')
    return (
      <Card>
        <EmptyState icon={<Layers aria-hidden />} title="An index has no files of its own">
          One of the two is an index of several platforms. Open one of its platforms, and compare with the digest of the other’s.
        </EmptyState>
      </Card>
    )
  if (!isRead)
    return (
      <Card>
        <CardHeader title="Reading the layers" />
        <SkeletonRows rows={6} label="Reading the layers of both images" />
      </Card>
    )
  return (
    <Load query={query} what="this comparison" card>
      {(found) => (
        <>
          <Sides found={found} />
          <PackagesCard packages={found.packages} />
          <ConfigCard config={found.config} />
          <FilesCard title="Changed files" changes={found.files.changed} />
          <FilesCard title="Added files" changes={found.files.added} />
          <FilesCard title="Removed files" changes={found.files.removed} />
        </>
      )}
    </Load>
  )
}

const signed = (bytes: number) => (bytes === 0 ? '±0 B' : `${bytes > 0 ? '+' : '−'}${formatBytes(Math.abs(bytes))}`)
const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

function Sides({ found }: { found: views.ComparisonView }) {
  const { from, to, layers, files } = found
  const rows: [string, string, string, ReactNode][] = [
    ['Compressed', formatBytes(from.size), formatBytes(to.size), signed(to.size - from.size)],
    ['Unpacked', formatBytes(from.bytes), formatBytes(to.bytes), signed(to.bytes - from.bytes)],
    [
      'Files',
      from.files.toLocaleString('en'),
      to.files.toLocaleString('en'),
      `+${files.added.total} −${files.removed.total} ~${files.changed.total}`,
    ],
    [
      'Layers',
      String(layers.from),
      String(layers.to),
      <>
        {layers.shared} shared<span className="hidden md:inline">, {formatBytes(layers.sharedBytes)}</span>
      </>,
    ],
  ]
  const name = (one: views.ComparedImage) => (
    <>
      <span className="block truncate">
        {/* On a phone there is room for what differs. */}
        <span className={one.tags[0] && from.repository === to.repository ? 'hidden md:inline' : ''}>{one.repository}</span>
        {one.tags[0] && (
          <span className="md:text-ink-3">
            <span className="hidden md:inline">:</span>
            {one.tags[0]}
          </span>
        )}
      </span>
      <Hash className="hidden md:inline-flex">{shortDigest(one.digest)}</Hash>
    </>
  )
  return (
    <Card>
      <Table>
        <thead>
          <tr>
            <Th className="md:w-24" />
            <Th className="px-2 md:px-4">From</Th>
            <Th className="px-2 md:px-4">To</Th>
            <Th right className="pl-2 md:pl-4">
              Difference
            </Th>
          </tr>
        </thead>
        <tbody>
          <Tr>
            <Td />
            <Td className="max-w-0 px-2 font-medium md:px-4">{name(from)}</Td>
            <Td className="max-w-0 px-2 font-medium md:px-4">{name(to)}</Td>
            <Td />
          </Tr>
          {rows.map(([label, a, b, difference]) => (
            <Tr key={label}>
              <Td className="pr-2 text-ink-2">{label}</Td>
              <Td className="num whitespace-nowrap px-2 md:px-4">{a}</Td>
              <Td className="num whitespace-nowrap px-2 md:px-4">{b}</Td>
              <Td right className="whitespace-nowrap pl-2 md:pl-4">
                {difference}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

function PackagesCard({ packages }: { packages: views.ComparisonView['packages'] }) {
  const { added, removed, changed } = packages
  const rows = [
    ...changed.map((one) => ({ ...one, what: 'Changed' })),
    ...added.map((one) => ({ type: one.type, name: one.name, from: null, to: one.version, what: 'Added' })),
    ...removed.map((one) => ({ type: one.type, name: one.name, from: one.version, to: null, what: 'Removed' })),
  ]
  const [all, setAll] = useState(false)
  if (rows.length === 0) return <Same title="Packages">Both images have the same packages in the same versions.</Same>
  return (
    <Card>
      <CardHeader title="Packages" aside={`${changed.length} changed · ${added.length} added · ${removed.length} removed`} />
      <Table>
        <thead>
          <tr>
            <Th>Package</Th>
            <Th>From</Th>
            <Th>To</Th>
            <Th optional className="w-24" />
          </tr>
        </thead>
        <tbody>
          {(all ? rows : rows.slice(0, 25)).map((one) => (
            <Tr key={`${one.type} ${one.name} ${one.from} ${one.to}`}>
              <Td className="max-w-0">
                <span className="block truncate font-medium" title={one.name}>
                  {one.name} <span className="font-normal text-ink-3 text-xs">{one.type}</span>
                </span>
              </Td>
              <Td className="max-w-0">
                <span className="block truncate font-mono text-[12.5px]">{one.from ?? '–'}</span>
              </Td>
              <Td className="max-w-0">
                <span className="block truncate font-mono text-[12.5px]">{one.to ?? '–'}</span>
              </Td>
              <Td optional className="text-ink-2">
                {one.what}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
      {rows.length > 25 && !all && (
        <footer className="border-line border-t bg-sunken px-4 py-2">
          <Button size="s" onClick={() => setAll(true)}>
            Show all {rows.length.toLocaleString('en')}
          </Button>
        </footer>
      )}
    </Card>
  )
}

function ConfigCard({ config }: { config: views.ComparisonView['config'] }) {
  if (config.length === 0) return <Same title="Configuration">Both start the same way.</Same>
  return (
    <Card>
      <CardHeader title="Configuration" aside={count(config.length, 'difference')} />
      <Table>
        <thead>
          <tr>
            <Th>Setting</Th>
            <Th>From</Th>
            <Th>To</Th>
          </tr>
        </thead>
        <tbody>
          {config.map((one) => (
            <Tr key={one.field}>
              <Td className="max-w-0 break-words">{one.field}</Td>
              <Td className="max-w-0 break-words font-mono text-[12.5px]">{one.from ?? '–'}</Td>
              <Td className="max-w-0 break-words font-mono text-[12.5px]">{one.to ?? '–'}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

const WHAT = { content: '', rights: 'rights only', kind: 'another kind' }

function FilesCard({ title, changes }: { title: string; changes: views.FileChanges }) {
  const [all, setAll] = useState(false)
  if (changes.total === 0) return null
  const shown = all ? changes.items : changes.items.slice(0, 15)
  return (
    <Card>
      <CardHeader title={title} aside={`${count(changes.total, 'file')} · ${signed(changes.bytes)}`} />
      <Table>
        <tbody>
          {shown.map((one) => (
            <Tr key={one.path}>
              <Td className="max-w-0">
                <span className="block truncate font-mono text-[12.5px]" title={`/${one.path}`}>
                  /{one.path}
                </span>
              </Td>
              <Td optional className="w-32 text-ink-3 text-xs">
                {one.kind === 'symlink' ? 'link' : one.what && WHAT[one.what]}
              </Td>
              <Td right className="w-28">
                {signed((one.to ?? 0) - (one.from ?? 0))}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
      {(changes.items.length > 15 || changes.total > changes.items.length) && (
        <footer className="flex items-center gap-3 border-line border-t bg-sunken px-4 py-2 text-ink-2 text-sm">
          {changes.items.length > 15 && (
            <Button size="s" onClick={() => setAll(!all)}>
              {all ? 'Show fewer' : `Show ${changes.items.length.toLocaleString('en')}`}
            </Button>
          )}
          {changes.total > changes.items.length && (
            <span>
              The {changes.items.length} largest differences of {changes.total.toLocaleString('en')}.
            </span>
          )}
        </footer>
      )}
    </Card>
  )
}

function Same({ title, children }: { title: string; children: string }) {
  return (
    <Card>
      <CardHeader title={title} aside="No difference" />
      <p className="px-4 py-3 text-ink-2 text-sm">{children}</p>
    </Card>
  )
}
