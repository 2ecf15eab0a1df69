'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import {
  Button,
  Callout,
  Card,
  CardHeader,
  EmptyState,
  Input,
  Link,
  PageHead,
  RowLink,
  Segmented,
  StatusPill,
  Table,
  Td,
  Th,
  TimeAgo,
  Tr,
} from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Hourglass, ScanSearch, SearchX } from 'lucide-react'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { Load } from '@/components/load'
import { More } from '@/components/more'
import { instructionOf } from '@/lib/layers'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

type Kind = 'file' | 'package' | 'layer'
const HINTS: Record<Kind, string> = {
  file: '/etc/passwd, or a name: libssl.so.3',
  package: 'The whole name: openssl',
  layer: 'sha256:…',
}
const LIMIT = 50

interface Props {
  org: string
  kind: Kind
  query: string
  version: string
}

/** Which images of the organization, and what of them runs, hold a file, a package or a layer. */
export function WhereUsed({ org, kind: asked, query, version }: Props) {
  const router = useRouter()
  const [kind, setKind] = useState(asked)
  const [text, setText] = useState(query)
  const go = () => text.trim() !== '' && router.push(routes.whereUsed(org, { kind, q: text.trim() }))
  return (
    <>
      <PageHead title="Where used" />
      <Card>
        <form
          className="flex flex-wrap items-center gap-3 px-4 py-3"
          onSubmit={(event) => {
            event.preventDefault()
            go()
          }}
        >
          <Segmented
            label="What to look for"
            value={kind}
            onChange={setKind}
            segments={[
              { value: 'file', label: 'File' },
              { value: 'package', label: 'Package' },
              { value: 'layer', label: 'Layer' },
            ]}
          />
          <Input
            type="search"
            aria-label={`Name of the ${kind}`}
            placeholder={HINTS[kind]}
            className="min-w-48 flex-1"
            mono
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <Button type="submit" variant="primary" icon={<ScanSearch aria-hidden />}>
            Find
          </Button>
        </form>
        {query === '' ? (
          <EmptyState icon={<ScanSearch aria-hidden />} title="Find what is inside your images">
            A file by its path or its name, a package by its name, a layer by its digest: over all images of this organization, and which of
            them run.
          </EmptyState>
        ) : (
          <Found org={org} kind={asked} query={query} version={version} />
        )}
      </Card>
    </>
  )
}

function Found({ org, kind, query, version }: Props) {
  const trpc = useTRPC()
  const found = useInfiniteQuery(
    trpc.files.whereUsed.infiniteQueryOptions(
      { org, kind, query, limit: LIMIT, ...(version !== '' && { version }) },
      {
        getNextPageParam: (last) => last.next,
        refetchInterval: ({ state }) => ((state.data?.pages[0]?.waiting ?? 0) > 0 ? 5000 : false),
      },
    ),
  )
  // What is counted is of all of them, on each page.
  const pages = found.data?.pages ?? []
  const answer = pages[0] && { ...pages[0], items: pages.flatMap((page) => page.items) }
  return (
    <Load query={{ data: answer, error: found.error, isFetching: found.isFetching, refetch: found.refetch }} what="where it is used">
      {(answer) => (
        <>
          <CardHeader
            className="border-t"
            title={
              <span className="break-all">
                {answer.total === 0 ? 'Nowhere' : `${answer.total.toLocaleString('en')} ${answer.total === 1 ? 'place' : 'places'}`}
                <span className="font-normal text-ink-2">
                  {' '}
                  for {kind === 'layer' ? shortDigest(query) : query}
                  {version && ` ${version}`}
                </span>
              </span>
            }
            aside={
              answer.total > 0 &&
              (answer.running === 0 ? 'None runs' : answer.running === 1 ? '1 image runs' : `${answer.running} images run`)
            }
          />
          {answer.waiting > 0 && (
            <div className="px-4 pt-3">
              <Callout tone="busy" icon={<Hourglass aria-hidden />}>
                {answer.waiting === 1 ? '1 layer is' : answer.waiting < 1000 ? `${answer.waiting} layers are` : '1,000 layers or more are'}{' '}
                not read yet: what they hold comes in as they are.
              </Callout>
            </div>
          )}
          <Suggestions org={org} query={query} version={version} answer={answer} />
          {answer.total === 0 ? (
            <EmptyState icon={<SearchX aria-hidden />} title={`No image has this ${kind}`}>
              {kind === 'file'
                ? 'Begin with a slash for a whole path, or leave it out for a name in any directory.'
                : kind === 'package'
                  ? 'Names are taken as they are: check upper and lower case.'
                  : 'The digest is the compressed layer’s, as the image’s page shows it.'}
            </EmptyState>
          ) : (
            <Uses org={org} items={answer.items} kind={kind} />
          )}
          <More query={found} />
        </>
      )}
    </Load>
  )
}

function Suggestions({ org, query, version, answer }: { org: string; query: string; version: string; answer: views.WhereUsedView }) {
  const { suggestions } = answer
  if (suggestions.length === 0 || (suggestions.length === 1 && version === '' && answer.total > 0)) return null
  return (
    <div className="flex flex-wrap items-center gap-2 px-4 pt-3 text-sm">
      <span className="text-ink-3">{answer.total === 0 ? 'Did you mean' : 'Version'}</span>
      {suggestions.map((one) => (
        <Link
          key={`${one.name} ${one.version}`}
          href={routes.whereUsed(org, {
            kind: 'package',
            q: one.name,
            ...(one.version && one.version !== version && { version: one.version }),
          })}
          aria-current={one.version !== null && one.version === version ? 'true' : undefined}
          className="max-w-full truncate rounded-[5px] border border-line bg-sunken px-1.5 font-mono text-xs leading-5 hover:border-line-strong hover:bg-hover aria-[current]:border-accent aria-[current]:text-accent"
        >
          {one.version ?? one.name}
          {one.images !== null && <span className="num text-ink-3"> · {one.images}</span>}
        </Link>
      ))}
      {version !== '' && suggestions.every((one) => one.version === version) && (
        <Link className="text-accent hover:underline" href={routes.whereUsed(org, { kind: 'package', q: query })}>
          All versions
        </Link>
      )}
    </div>
  )
}

function Uses({ org, items, kind }: { org: string; items: views.UseView[]; kind: Kind }) {
  // Looked for by its name, a file's path is not known: the index has hashes.
  const told = kind === 'package' || items.some((one) => one.path !== null)
  return (
    <Table className="mt-2">
      <thead>
        <tr>
          <Th>Image</Th>
          <Th optional>{kind === 'layer' ? 'Made by' : 'Layer'}</Th>
          {kind !== 'layer' && told && <Th optional>{kind === 'package' ? 'Version' : 'Path'}</Th>}
          <Th className="w-28 sm:w-44">Runs in</Th>
          <Th right optional className="w-28">
            Pushed
          </Th>
        </tr>
      </thead>
      <tbody>
        {items.map((one) => (
          <Tr key={`${one.repository} ${one.digest} ${one.path} ${one.version}`} interactive>
            <Td className="max-w-0">
              <RowLink href={routes.image(org, one.repository, one.digest)} className="block truncate font-medium">
                {one.repository}
                {one.tags[0] && <span className="text-ink-3">:{one.tags[0]}</span>}
              </RowLink>
              <p className="truncate font-mono text-ink-3 text-xs leading-5">
                {shortDigest(one.digest)}
                {one.platform && ` · ${one.platform}`}
                {one.hidden && ' · hidden'}
              </p>
            </Td>
            <Td optional className="max-w-0">
              <span className="block truncate font-mono text-[12.5px]" title={instructionOf(one.layer)}>
                {one.layer.position + 1} · {instructionOf(one.layer)}
              </span>
              <span className="num text-ink-3 text-xs">{formatBytes(one.layer.size)} compressed</span>
            </Td>
            {kind !== 'layer' && told && (
              <Td optional className="max-w-0">
                <span className="block truncate font-mono text-[12.5px]" title={one.path ?? undefined}>
                  {kind === 'package' ? one.version || '–' : (one.path ?? 'by its name')}
                </span>
                {kind === 'package' && (
                  <span className="block truncate text-ink-3 text-xs" title={one.path ?? undefined}>
                    {one.type} · {one.path}
                  </span>
                )}
              </Td>
            )}
            <Td className="max-w-0">
              {one.hidden ? (
                <span className="text-ink-3 text-xs" title="A later layer replaces or removes it: it is shipped, but no container sees it.">
                  Hidden by a later layer
                </span>
              ) : one.runsIn.length === 0 ? (
                <span className="text-ink-3">–</span>
              ) : (
                <span className="flex flex-wrap gap-1">
                  {one.runsIn.map((run) => (
                    <Link key={run.app} href={routes.app(org, run.app)} className="relative z-10">
                      <StatusPill tone="live">{run.containers > 1 ? `${run.app} ×${run.containers}` : run.app}</StatusPill>
                    </Link>
                  ))}
                </span>
              )}
            </Td>
            <Td right optional className="text-ink-2">
              <TimeAgo at={one.pushedAt} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
