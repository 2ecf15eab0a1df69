'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, formatDuration, shortDigest } from '@slipway/core'
import { Card, CardHeader, Hash, KeyValue, Link, TimeAgo, useNow, Way } from '@slipway/ui'
import { firstLine } from '@/components/commit'
import { routes } from '@/lib/routes'
import { wayOfDeployment } from '@/lib/way'
import { exitedContainer } from './container-failure'

/** What answers traffic now: the way it came, and what it is made of. */
export function ServingCard({ org, app, serving }: { org: string; app: views.AppView; serving: views.DeploymentView }) {
  const stopped = app.desiredState === 'stopped'
  return (
    <Card>
      <CardHeader
        title={stopped ? 'Stopped' : exitedContainer(app) ? 'Not answering' : 'Serving now'}
        extra={
          <Link href={routes.deployment(org, app.slug, serving.number)} className="rounded-[5px]">
            <Hash className="hover:border-line-strong">#{serving.number}</Hash>
          </Link>
        }
        aside={!stopped && !exitedContainer(app) && serving.servingAt && <Since at={serving.servingAt} />}
      />
      <Way hops={wayOfDeployment(org, app.slug, serving)} />
      <div className="border-line border-t">
        <DeploymentFacts org={org} deployment={serving} />
      </div>
    </Card>
  )
}

function Since({ at }: { at: Date }) {
  const now = useNow(1000)
  const seconds = Math.max(1, Math.floor((now - at.getTime()) / 1000))
  return (
    <time dateTime={at.toISOString()} title={at.toLocaleString('en-GB')} suppressHydrationWarning>
      for {seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000)}
    </time>
  )
}

/** Commit, image, containers: the same lines on the app's page and on the deployment's. */
export function DeploymentFacts({ org, deployment }: { org: string; deployment: views.DeploymentView }) {
  const { commit, image, containers } = deployment
  const alive = containers.filter((c) => c.state === 'running')
  return (
    <KeyValue
      items={[
        ...(commit
          ? [
              {
                key: 'Commit',
                value: (
                  <>
                    {firstLine(commit.message)}{' '}
                    <span className="text-ink-3">
                      · <span className="font-mono text-xs">{commit.sha.slice(0, 7)}</span>
                      {commit.at && (
                        <>
                          {' '}
                          · <TimeAgo at={commit.at} />
                        </>
                      )}
                    </span>
                  </>
                ),
              },
            ]
          : []),
        {
          key: 'Image',
          value: image ? <ImageFact org={org} image={image} /> : <span className="font-mono text-xs">{deployment.imageReference}</span>,
        },
        ...(containers.length > 0
          ? [
              {
                key: 'Running',
                value: (
                  <>
                    {alive.length} of {containers.filter((c) => c.state !== 'removed').length}
                    {alive.length > 0 && ` · ${[...new Set(alive.map((c) => c.host))].join(', ')}`}
                    {alive[0] && (
                      <span className="text-ink-3">
                        {' '}
                        · <span className="font-mono text-xs">{alive.map((c) => c.engineId.slice(0, 12)).join(', ')}</span>
                        {alive[0].address && (
                          <span className="font-mono text-xs">
                            {' '}
                            · {alive[0].address}:{alive[0].port}
                          </span>
                        )}
                      </span>
                    )}
                  </>
                ),
              },
            ]
          : []),
      ]}
    />
  )
}

function ImageFact({ org, image }: { org: string; image: views.ImageRefView }) {
  const facts = [
    image.size === null ? null : formatBytes(image.size),
    image.layers === null ? null : `${image.layers} ${image.layers === 1 ? 'layer' : 'layers'}`,
    image.sharedLayers ? `${image.sharedLayers} shared` : null,
  ].filter((f) => f !== null)
  const own = ownRepository(org, image.repository)
  return (
    <>
      <Hash copy={`${image.repository}@${image.digest}`} label="the image's digest">
        {shortDigest(image.digest, 8)}
      </Hash>{' '}
      <span className="text-ink-2">
        {own && facts.length > 0 ? (
          <Link href={routes.image(org, own, image.digest)} className="rounded-sm underline-offset-3 hover:text-ink hover:underline">
            {facts.join(', ')}
          </Link>
        ) : (
          // Of an image that our registry does not have (any more) nothing is known.
          facts.join(', ')
        )}
      </span>
    </>
  )
}

/** `slipway.local/acme/guestbook` → `guestbook` in acme; null for images of elsewhere. */
export function ownRepository(org: string, repository: string): string | null {
  const prefix = `slipway.local/${org}/`
  return repository.startsWith(prefix) ? repository.slice(prefix.length) : null
}
