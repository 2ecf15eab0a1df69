'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { useApp } from '@/lib/use-app'
import { emptyRow, problemsOf, rowsOf, toInput } from './rows'
import { VariableEditor } from './variable-editor'

export function AppVariables({ org, app }: { org: string; app: string }) {
  const trpc = useTRPC()
  const query = useQuery(trpc.apps.variables.queryOptions({ org, app }, { staleTime: Number.POSITIVE_INFINITY, gcTime: 0 }))
  const { data: view } = useApp(org, app)
  return (
    <Card>
      <CardHeader title="Variables" aside="encrypted at rest" />
      <Load query={query} what="the variables">
        {(variables) => (
          <Form org={org} app={app} variables={variables} git={view != null && view.source !== 'image'} serving={view?.serving != null} />
        )}
      </Load>
    </Card>
  )
}

function Form({
  org,
  app,
  variables,
  git,
  serving,
}: {
  org: string
  app: string
  variables: views.VariableView[]
  git: boolean
  serving: boolean
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const router = useRouter()
  const start = (list: views.VariableView[]) => (list.length > 0 ? rowsOf(list) : [emptyRow()])
  const [rows, setRows] = useState(() => start(variables))
  const [dirty, setDirty] = useState(false)
  const [checked, setChecked] = useState(false)
  const problems = problemsOf(rows)
  const redeploy = useMutation(
    trpc.deployments.redeploy.mutationOptions({ onSuccess: ({ number }) => router.push(routes.deployment(org, app, number)) }),
  )
  const save = useMutation(
    trpc.apps.setVariables.mutationOptions({
      meta: { quiet: true },
      onSuccess: (saved) => {
        client.setQueryData(trpc.apps.variables.queryKey({ org, app }), saved)
        setRows(start(saved))
        setDirty(false)
        toast('Variables saved', {
          description: serving ? 'What serves now keeps the old ones until the next deployment.' : 'The next deployment takes them.',
          ...(serving ? { action: { label: 'Redeploy', onClick: () => redeploy.mutate({ org, app }) } } : {}),
        })
      },
    }),
  )
  return (
    <form
      className="grid gap-4 p-4"
      onSubmit={(event) => {
        event.preventDefault()
        setChecked(true)
        if (problems.size === 0 && !save.isPending) save.mutate({ org, app, variables: toInput(rows) })
      }}
    >
      <p className="max-w-[72ch] text-ink-2 text-sm">
        {git
          ? 'Environment variables are there when the app runs; build arguments fill the ARG lines of its Dockerfile. A build argument that is a secret fills none, so that it is not in the image: RUN --mount=type=secret,id=NAME reads it.'
          : 'They are there when the app runs.'}{' '}
        A secret is never shown again once it is saved. A .env file can be pasted into an empty name.
      </p>
      <VariableEditor
        rows={rows}
        problems={checked ? problems : new Map()}
        withScope={git}
        onChange={(next) => {
          setRows(next)
          setDirty(true)
        }}
      />
      <InlineError error={save.error} />
      <div className="flex gap-2">
        <Button type="submit" variant="primary" disabled={!dirty} pending={save.isPending}>
          Save
        </Button>
        {dirty && (
          <Button
            variant="ghost"
            onClick={() => {
              setRows(start(variables))
              setDirty(false)
            }}
          >
            Discard
          </Button>
        )}
      </div>
    </form>
  )
}
