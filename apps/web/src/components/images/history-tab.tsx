'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, formatDuration, shortDigest } from '@slipway/core'
import { Button, Card, CardHeader, EmptyState, Link, LinkButton, StatusPill, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { useInfiniteQuery } from '@tanstack/react-query'
import { History } from 'lucide-react'
import { useState } from 'react'
import { Load } from '@/components/load'
import { allItems, More } from '@/components/more'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { MadeBy, MadeFacts, pusherName } from './made-by'
import { PointBack } from './point-back'

type Version = NonNullable<views.TagMoveView['version']>
interface At {
  org: string
  repository: string
  tag: string
}

/** What a tag named, one after the other; also of one that is not there any more. */
export function HistoryTab({ org, repository, reference: tag }: { org: string; repository: string; reference: string }) {
  const trpc = useTRPC()
  const query = useInfiniteQuery(
    trpc.images.history.infiniteQueryOptions({ org, repository, tag, limit: 25 }, { getNextPageParam: (page) => page.next ?? undefined }),
  )
  const [asked, setAsked] = useState<{ move: views.TagMoveView; version: Version } | null>(null)
  const first = query.data?.pages[0]
  const now = first?.items[0]?.version?.digest ?? null
  return (
    <Card>
      <CardHeader
        title="History"
        aside={
          first && first.total > 0 && (first.total === 1 ? '1 change' : `${first.total >= KEPT ? `The last ${KEPT}` : first.total} changes`)
        }
      />
      <Load query={allItems(query)} what="the history of this tag">
        {(items) =>
          items.length === 0 ? (
            <EmptyState
              icon={<History aria-hidden />}
              title={`Nothing is known of ${tag}`}
              actions={<LinkButton href={routes.repository(org, repository)}>All tags</LinkButton>}
            >
              No image was pushed under this tag here, or its repository is another one now.
            </EmptyState>
          ) : (
            <Table>
              <thead>
                <tr>
                  <Th className="w-full md:w-[30%]">Version</Th>
                  <Th optional>Made by</Th>
                  <Th right optional className="w-24">
                    Size
                  </Th>
                  <Th right optional className="w-32">
                    Since
                  </Th>
                  <Th right className="md:w-52">
                    <span className="sr-only">Compare and go back</span>
                  </Th>
                </tr>
              </thead>
              <tbody>
                {items.map((move) => (
                  <Move
                    key={move.id}
                    at={{ org, repository, tag }}
                    move={move}
                    onPoint={
                      first?.mayPoint && move.version && !move.version.gone && move.version.digest !== now
                        ? (version) => setAsked({ move, version })
                        : undefined
                    }
                  />
                ))}
              </tbody>
            </Table>
          )
        }
      </Load>
      <More query={query} />
      <PointBack org={org} repository={repository} tag={tag} now={now} asked={asked} onClose={() => setAsked(null)} />
    </Card>
  )
}
/** So many are kept: migration 20261202001000_tag_history. */
const KEPT = 200

function Move({ at, move, onPoint }: { at: At; move: views.TagMoveView; onPoint: ((version: Version) => void) | undefined }) {
  const { version } = move
  return (
    <Tr>
      <Td className="max-w-0">
        {version ? <VersionName at={at} move={move} version={version} /> : <p className="font-medium text-ink-2">Removed</p>}
        {!version && <p className="truncate text-ink-3 text-xs leading-5">{REMOVED[move.why ?? ''] ?? 'Nobody said why'}</p>}
        {version?.gone && <p className="truncate text-ink-3 text-xs leading-5">{goneWords(version.gone)}</p>}
        <p className="truncate text-ink-3 text-xs leading-5 md:hidden">
          <MadeFacts org={at.org} pushedBy={move.by} build={version?.build ?? null} commit={version?.commit ?? null} />
        </p>
        <p className="text-ink-3 text-xs leading-5 md:hidden">
          <TimeAgo at={move.at} />
          <Lasted move={move} lead=", for " />
        </p>
      </Td>
      <Td optional className="max-w-0">
        <MadeBy org={at.org} pushedBy={move.by} build={version?.build ?? null} commit={version?.commit ?? null} />
      </Td>
      <Td right optional className="text-ink-2">
        {version?.size != null && formatBytes(version.size)}
      </Td>
      <Td right optional className="text-ink-2">
        <TimeAgo at={move.at} />
        <Lasted move={move} lead="for " className="block text-ink-3 text-xs leading-5" />
      </Td>
      <Td right className="pl-0">
        <span className="flex flex-col items-end justify-end gap-1 md:flex-row md:items-center">
          {version?.previous && !isIndex(version) && (
            <Button asChild variant="ghost" size="s">
              <Link
                href={routes.compareImages(at.org, at.repository, version.digest, `${at.repository}@${version.previous}`)}
                aria-label={`Compare ${shortDigest(version.digest)} with ${shortDigest(version.previous)} before it`}
              >
                Compare
              </Link>
            </Button>
          )}
          {onPoint && version && (
            <Button size="s" onClick={() => onPoint(version)} aria-label={`Point back to ${shortDigest(version.digest)}`}>
              Point back
            </Button>
          )}
        </span>
      </Td>
    </Tr>
  )
}

function VersionName({ at, move, version }: { at: At; move: views.TagMoveView; version: Version }) {
  const digest = shortDigest(version.digest)
  return (
    <span className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-1">
      {version.gone ? (
        <span className="truncate font-mono text-[13px] text-ink-3 line-through" title={version.digest}>
          {digest}
        </span>
      ) : (
        <Link
          href={routes.image(at.org, at.repository, version.digest)}
          title={version.digest}
          className="truncate font-mono text-[13px] underline decoration-line-strong underline-offset-3 hover:decoration-ink"
        >
          {digest}
        </Link>
      )}
      {move.until === null && <StatusPill tone="hit">Now</StatusPill>}
      {version.runningIn.length > 0 && <StatusPill tone="live">{version.runningIn.join(', ')}</StatusPill>}
    </span>
  )
}

/** How long it was what the tag named. */
function Lasted({ move: { at, until, version }, lead, className }: { move: views.TagMoveView; lead: string; className?: string }) {
  if (!version || !until) return null
  return (
    <span className={className}>
      {lead}
      {formatDuration(until.getTime() - at.getTime())}
    </span>
  )
}

const isIndex = ({ mediaType }: Version) => /\.(index|manifest\.list)\./.test(mediaType ?? '')

const REMOVED: Record<string, string> = {
  tag: 'The tag was deleted',
  image: 'Its image was deleted',
  retention: 'Retention took it',
  upstream: 'The upstream has it no more',
}

function goneWords({ at, by, why }: NonNullable<Version['gone']>) {
  if (at === null) return 'Gone'
  return (
    <>
      Gone <TimeAgo at={at} />
      {why === 'retention' ? ', by retention' : by !== null && `, deleted by ${pusherName(by)}`}
    </>
  )
}
