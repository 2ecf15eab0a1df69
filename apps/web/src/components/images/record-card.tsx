'use client'
import { UPLOADED_CONTEXT, type views } from '@slipway/contracts'
import { shortDigest } from '@slipway/core'
import { Card, CardHeader, Hash, KeyValue, Link, TimeAgo } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { DownloadButton } from './download'
import { pusherName } from './made-by'

/** What the builder recorded of how the image was made (SLSA provenance): commit, inputs by digest, arguments. */
export function RecordCard(props: { org: string; repository: string; reference: string; image: views.ImageView }) {
  const { org, repository, reference, image } = props
  const trpc = useTRPC()
  const query = useQuery(trpc.images.provenance.queryOptions({ org, repository, reference }, { staleTime: 60_000 }))
  return (
    <Card>
      <CardHeader
        title="Provenance"
        aside={
          query.data && (
            <DownloadButton org={org} repository={repository} reference={reference} kind="provenance">
              in-toto
            </DownloadButton>
          )
        }
      />
      <Load query={query} what="this image’s provenance">
        {(found) =>
          found ? (
            <KeyValue items={itemsOf(found, org)} />
          ) : (
            <p className="px-4 py-5 text-ink-2 text-sm">
              {image.build
                ? 'No record of its origin is attached. Builds attach one unless the app’s settings say no; build again to get it.'
                : 'No record of its origin is attached. Images that Slipway builds have one; this one was pushed by hand.'}
            </p>
          )
        }
      </Load>
    </Card>
  )
}

const mono = (text: ReactNode) => <span className="break-all font-mono text-xs">{text}</span>

function itemsOf(record: views.ProvenanceView, org: string): { key: string; value: ReactNode; wrap?: boolean }[] {
  const { source } = record
  // The commit and the uploaded files have lines of their own.
  const bases = record.materials.filter(
    ({ uri, name }, index) => !(index === 0 && uri.startsWith('git+')) && !(uri === UPLOADED_CONTEXT && name === null),
  )
  const item = (key: string, value: ReactNode, wrap = true) => ({ key, value, wrap })
  return [
    ...(source
      ? [
          ...(source.git
            ? [
                item('Repository', <Outside uri={source.git.repository} />),
                item(
                  'Commit',
                  <Hash
                    copy={source.git.commit}
                    label="the commit"
                  >{`${source.git.commit.slice(0, 12)} · ${source.git.ref.replace('refs/heads/', '')}`}</Hash>,
                ),
              ]
            : []),
          ...(source.tree
            ? [
                item(
                  'Uploaded files',
                  <Hash copy={source.tree} label="the digest">
                    {shortDigest(source.tree)}
                  </Hash>,
                ),
              ]
            : []),
          item('Dockerfile', mono(`${source.dockerfile}${source.target ? ` · stage ${source.target}` : ''} · in ${source.context}`)),
        ]
      : [item('Kind', mono(record.buildType))]),
    ...(record.platform ? [item('Platform', mono(record.platform))] : []),
    ...(bases.length > 0
      ? [
          item(
            'Made from',
            <ul className="grid gap-1.5">
              {bases.map(({ uri, name, digest }) => (
                <li key={`${uri} ${digest}`} className="flex flex-wrap items-center gap-x-2 gap-y-1">
                  {uri === UPLOADED_CONTEXT ? mono(`context ${name}, uploaded`) : <Material uri={uri} digest={digest} org={org} />}
                  {digest && (
                    <Hash copy={digest} label="the digest">
                      {shortDigest(digest)}
                    </Hash>
                  )}
                </li>
              ))}
            </ul>,
          ),
        ]
      : []),
    ...(record.buildArgs.length > 0
      ? [item('Arguments', mono(record.buildArgs.map(({ key, value }) => `${key}=${value}`).join('\n')))]
      : []),
    ...(record.secrets.length > 0 ? [item('Secrets', mono(record.secrets.join(', ')))] : []),
    item('Builder', mono(`${record.builder}${record.builderVersion ? ` · ${record.builderVersion}` : ''}`)),
    ...(record.finishedAt ? [item('Built', <TimeAgo at={record.finishedAt} />, false)] : []),
    item(
      'Attached',
      <>
        <TimeAgo at={record.pushedAt} /> <span className="text-ink-3">by {pusherName(record.pushedBy)}, not signed</span>
      </>,
    ),
  ]
}

/** A base image of this organization has a page; others are text. */
function Material({ uri, digest, org }: { uri: string; digest: string | null; org: string }) {
  const reference = uri.replace(/^(oci|docker):\/\//, '')
  const [, owner, name] = /^slipway\.local\/([^/]+)\/([^@:]+)/.exec(reference) ?? []
  if (owner !== org || name === undefined || digest === null) return mono(reference)
  return (
    <Link href={routes.image(org, name, digest)} className="break-all font-mono text-accent text-xs underline underline-offset-3">
      {reference}
    </Link>
  )
}

/** Written by whoever attached the record: only web addresses become links. */
function Outside({ uri }: { uri: string }) {
  if (!/^https?:\/\//.test(uri) || !URL.canParse(uri)) return mono(uri)
  return (
    <a href={uri} rel="noreferrer noopener" target="_blank" className="break-all text-accent underline underline-offset-3">
      {uri}
    </a>
  )
}
