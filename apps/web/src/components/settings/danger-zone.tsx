'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { type ReactNode, useState } from 'react'
import { useAppActions } from '@/components/app/use-app-actions'
import { InlineError } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

const count = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`

/** What goes with the app, named. */
function removals({ removes: r }: views.AppView): string[] {
  return [
    ...(r.containers > 0 ? [count(r.containers, 'container')] : []),
    ...(r.deployments > 0 ? [count(r.deployments, 'deployment')] : []),
    ...(r.builds > 0 ? [`${count(r.builds, 'build')} with ${r.builds === 1 ? 'its log' : 'their logs'}`] : []),
    ...r.hostnames.map((h) => `the address ${h}`),
    ...r.volumes.map((v) => `the volume ${v} and its data`),
    ...(r.repository ? [`the images in ${r.repository}`] : []),
    'its variables and its webhook',
  ]
}

export function DangerZone({ org, app }: { org: string; app: views.AppView }) {
  const [asking, setAsking] = useState(false)
  const { stop, start } = useAppActions(org, app)
  const target = { org, app: app.slug }
  const stopped = app.desiredState === 'stopped'
  return (
    <Card>
      <CardHeader title="Stop or delete" />
      <Row
        title={stopped ? 'Start this app' : 'Stop this app'}
        text={
          stopped
            ? 'Brings back the version that served last.'
            : 'Its containers end and its address answers no more. Everything else stays.'
        }
      >
        <Button pending={stop.isPending || start.isPending} onClick={() => (stopped ? start : stop).mutate(target)}>
          {stopped ? 'Start' : 'Stop'}
        </Button>
      </Row>
      <Row title="Delete this app" text={`Removes ${removals(app).join(', ')}.`}>
        <Button variant="danger-quiet" onClick={() => setAsking(true)}>
          Delete
        </Button>
      </Row>
      <DeleteDialog org={org} app={app} open={asking} onOpenChange={setAsking} />
    </Card>
  )
}

function Row({ title, text, children }: { title: string; text: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-2 border-line border-b px-4 py-3.5 last:border-b-0">
      <div className="min-w-0 flex-1 basis-72">
        <h3 className="font-medium text-sm">{title}</h3>
        <p className="break-words text-ink-2 text-sm">{text}</p>
      </div>
      {children}
    </div>
  )
}

function DeleteDialog({
  org,
  app,
  open,
  onOpenChange,
}: {
  org: string
  app: views.AppView
  open: boolean
  onOpenChange: (open: boolean) => void
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const remove = useMutation(
    trpc.apps.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        toast(`${app.name} is being deleted`)
        router.push(routes.apps(org))
        void client.invalidateQueries(trpc.apps.list.queryFilter({ org }))
        void client.invalidateQueries(trpc.projects.list.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={open}
      onOpenChange={(next) => {
        onOpenChange(next)
        remove.reset()
      }}
      title={`Delete ${app.name}`}
      action="Delete"
      typed={app.slug}
      pending={remove.isPending}
      error={<InlineError error={remove.error} />}
      onConfirm={() => remove.mutate({ org, app: app.slug, confirm: app.slug })}
    >
      <p>This removes, and it cannot be undone:</p>
      <ul className="mt-2 list-disc pl-5 text-ink">
        {removals(app).map((line) => (
          <li key={line} className="break-words">
            {line}
          </li>
        ))}
      </ul>
    </ConfirmDialog>
  )
}
