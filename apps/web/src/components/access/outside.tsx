'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, EmptyState, PageHead } from '@slipway/ui'
import { Layers } from 'lucide-react'
import { SharedApps, SharedRepositories } from './shared-lists'

/** An organization for somebody who is no member: exactly what is shared with them. */
export function Outside({ view }: { view: views.OutsideView }) {
  return (
    <>
      <PageHead title={view.name} />
      <SharedApps apps={view.apps} />
      <Card>
        <CardHeader title="Repositories" />
        {view.repositories.length > 0 ? (
          <SharedRepositories repositories={view.repositories} />
        ) : (
          <EmptyState icon={<Layers aria-hidden />} title="No repository">
            Only apps of this organization are shared with you.
          </EmptyState>
        )}
      </Card>
    </>
  )
}
