'use client'
import type { views } from '@slipway/contracts'
import { Button, Input } from '@slipway/ui'
import { Plus, Trash2 } from 'lucide-react'
import { AppForm } from './app-form'

/** `key` is the row's own, so that what is typed stays in its row when another is removed. */
const valuesOf = ({ settings }: views.AppView) => ({ rows: settings.namedContexts.map((row, key) => ({ key, ...row })) })
const inputOf = ({ rows }: ReturnType<typeof valuesOf>) => ({
  namedContexts: rows
    .map(({ name, value }) => ({ name: name.trim(), value: value.trim() }))
    .filter(({ name, value }) => name !== '' || value !== ''),
})

/** Other file systems that the Dockerfile may name. */
export function ContextsForm({ org, app }: { org: string; app: views.AppView }) {
  return (
    <AppForm org={org} app={app} title="Named contexts" note="The next build takes them." valuesOf={valuesOf} inputOf={inputOf}>
      {({ values: { rows }, errors, set }) => {
        const change = (key: number, part: { name?: string; value?: string }) =>
          set(
            'rows',
            rows.map((row) => (row.key === key ? { ...row, ...part } : row)),
          )
        return (
          <>
            <p className="max-w-[72ch] text-ink-2 text-sm">
              <code>COPY --from=</code>, <code>FROM</code> and <code>RUN --mount=from=</code> find them by name, before stages and images of
              that name. A context is a folder of the repository, an image (<code>docker-image://debian:12</code>), or a public Git
              repository (<code>https://github.com/you/lib.git#main:folder</code>).
            </p>
            {rows.length > 0 && (
              <ul className="grid gap-3 sm:gap-2">
                {rows.map((row, index) => {
                  const problems = { name: errors[`namedContexts.${index}.name`], value: errors[`namedContexts.${index}.value`] }
                  return (
                    <li key={row.key} className="grid gap-1">
                      <div className="grid grid-cols-[minmax(0,1fr)_auto] gap-2 sm:grid-cols-[minmax(0,1fr)_minmax(0,2fr)_auto]">
                        <Input
                          mono
                          aria-label={`Name of context ${index + 1}`}
                          aria-invalid={problems.name !== undefined}
                          placeholder="docs"
                          value={row.name}
                          onChange={(event) => change(row.key, { name: event.target.value })}
                        />
                        <Button
                          className="sm:order-last"
                          size="icon"
                          variant="ghost"
                          aria-label={`Remove context ${row.name || index + 1}`}
                          onClick={() =>
                            set(
                              'rows',
                              rows.filter(({ key }) => key !== row.key),
                            )
                          }
                        >
                          <Trash2 aria-hidden />
                        </Button>
                        <Input
                          className="col-span-2 sm:col-span-1"
                          mono
                          aria-label={`What context ${index + 1} stands for`}
                          aria-invalid={problems.value !== undefined}
                          placeholder="./docs"
                          value={row.value}
                          onChange={(event) => change(row.key, { value: event.target.value })}
                        />
                      </div>
                      {(problems.name ?? problems.value) && (
                        <p role="alert" className="text-fail text-xs">
                          {problems.name ?? problems.value}
                        </p>
                      )}
                    </li>
                  )
                })}
              </ul>
            )}
            {errors.namedContexts && (
              <p role="alert" className="text-fail text-xs">
                {errors.namedContexts}
              </p>
            )}
            <div>
              <Button
                size="s"
                icon={<Plus aria-hidden />}
                onClick={() => set('rows', [...rows, { key: Math.max(-1, ...rows.map(({ key }) => key)) + 1, name: '', value: '' }])}
              >
                Add a context
              </Button>
            </div>
          </>
        )
      }}
    </AppForm>
  )
}
