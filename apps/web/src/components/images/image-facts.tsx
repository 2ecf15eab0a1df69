'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, Hash, KeyValue, Link, RowLink, TimeAgo } from '@slipway/ui'
import { firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'
import { pusherName, starterOf } from './made-by'

export function RunsInCard({ org, image }: { org: string; image: views.ImageView }) {
  return (
    <Card>
      <CardHeader title="Runs in" />
      {image.runsIn.length === 0 ? (
        <p className="px-4 py-5 text-ink-2 text-sm">No app runs this image.</p>
      ) : (
        <ul>
          {image.runsIn.map((r) => (
            <li
              key={`${r.app}-${r.deployment}`}
              className="relative flex items-center gap-2 border-line border-b px-4 py-2.5 text-sm last:border-b-0 hover:bg-sunken"
            >
              <RowLink href={routes.app(org, r.app)} className="truncate font-medium">
                {r.app}
              </RowLink>
              <Hash>#{r.deployment}</Hash>
              <span className="num ml-auto whitespace-nowrap text-ink-2">
                {r.containers === 1 ? '1 container' : `${r.containers} containers`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

export function ProvenanceCard({ org, repository, image }: { org: string; repository: string; image: views.ImageView }) {
  return (
    <Card>
      <CardHeader title="Where it comes from" />
      <KeyValue
        items={[
          ...(image.build
            ? [
                {
                  key: 'Build',
                  value: (
                    <>
                      <Link
                        href={routes.build(org, image.build.app, image.build.number)}
                        className="text-accent underline underline-offset-3"
                      >
                        {image.build.app} #{image.build.number}
                      </Link>{' '}
                      <span className="text-ink-3">{starterOf(image.build)}</span>
                    </>
                  ),
                },
              ]
            : []),
          ...(image.commit
            ? [
                { key: 'Commit', value: firstLine(image.commit.message), wrap: true },
                {
                  key: 'Revision',
                  value: <span className="font-mono text-xs">{`${image.commit.sha.slice(0, 12)} · ${image.commit.branch}`}</span>,
                },
              ]
            : []),
          {
            key: 'Pushed',
            value: (
              <>
                <TimeAgo at={image.pushedAt} /> <span className="text-ink-3">by {pusherName(image.pushedBy)}</span>
              </>
            ),
          },
          ...(image.tags.length > 0
            ? [
                {
                  key: 'Tags',
                  wrap: true,
                  value: (
                    <span className="flex flex-wrap gap-1">
                      {image.tags.map((tag) => (
                        <Link key={tag} href={routes.image(org, repository, tag)} className="rounded-[5px]">
                          <Hash className="hover:border-line-strong">{tag}</Hash>
                        </Link>
                      ))}
                    </span>
                  ),
                },
              ]
            : []),
        ]}
      />
    </Card>
  )
}
