'use client'
import { inputs, type RobotAction, type RobotGrant, type views } from '@slipway/contracts'
import { Button, Dialog, Field, Input, Select, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Plus, X } from 'lucide-react'
import { type FormEvent, useEffect, useState } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { useForm } from '@/lib/use-form'
import { RobotMade } from './robot-made'

const ACCESS: { value: string; label: string; actions: RobotAction[] }[] = [
  { value: 'pull', label: 'Pull', actions: ['pull'] },
  { value: 'push', label: 'Pull and push', actions: ['pull', 'push'] },
  { value: 'delete', label: 'Pull, push, delete', actions: ['pull', 'push', 'delete'] },
]
const LIFETIMES = [
  { value: '7', label: '7 days' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: '1 year' },
  { value: 'never', label: 'Never' },
]

/** The strongest of the three that the actions amount to. */
const accessOf = (actions: readonly RobotAction[]) => (actions.includes('delete') ? 'delete' : actions.includes('push') ? 'push' : 'pull')

interface Row {
  key: number
  pattern: string
  access: string
}
let nextKey = 0
const rowOf = ({ pattern, actions }: RobotGrant): Row => ({ key: nextKey++, pattern, access: accessOf(actions) })
const emptyForm = () => ({ name: '', lifetime: '90', rows: [rowOf({ pattern: '*', actions: ['pull'] })] })

/** Makes a robot, or changes what one may do. */
export function RobotForm({ org, open, robot, onDone }: { org: string; open: boolean; robot: views.RobotView | null; onDone: () => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const form = useForm(emptyForm())
  const [made, setMade] = useState<views.CreatedRobotView | null>(null)
  const refresh = () => void client.invalidateQueries(trpc.robots.list.queryFilter({ org }))
  const create = useMutation(
    trpc.robots.create.mutationOptions({
      meta: { quiet: true },
      onSuccess: (answer) => {
        setMade(answer)
        refresh()
      },
    }),
  )
  const update = useMutation(
    trpc.robots.update.mutationOptions({
      meta: { quiet: true },
      onSuccess: (answer) => {
        toast(`${answer.name} is changed`, { description: 'It holds from the next login on, five minutes from now at most.' })
        refresh()
        onDone()
      },
    }),
  )
  const { reset } = form
  useEffect(() => {
    if (!open) return
    setMade(null)
    reset(robot ? { name: robot.name, lifetime: 'keep', rows: robot.grants.map(rowOf) } : emptyForm())
  }, [open, robot, reset])

  const submit = (event: FormEvent) => {
    event.preventDefault()
    const { name, lifetime, rows } = form.values
    const grants = rows.map(({ pattern, access }) => ({ pattern, actions: ACCESS.find((a) => a.value === access)?.actions ?? [] }))
    const days = lifetime === 'never' ? null : Number(lifetime)
    if (robot) {
      const input = form.check(inputs.updateRobot, { org, id: robot.id, grants, ...(lifetime !== 'keep' && { expiresInDays: days }) })
      if (input && !update.isPending) update.mutate(input)
      return
    }
    const input = form.check(inputs.createRobot, { org, name, grants, expiresInDays: days })
    if (input && !create.isPending) create.mutate(input)
  }
  if (made) return <RobotMade open={open} made={made} onDone={onDone} />
  const { rows } = form.values
  const setRows = (next: Row[]) => form.set('rows', next)
  return (
    <Dialog open={open} onOpenChange={(next) => !next && onDone()} title={robot ? `What ${robot.name} may do` : 'New robot'} wide>
      <form className="grid gap-4" onSubmit={submit} noValidate>
        {!robot && (
          <Field
            label="Name"
            error={form.errors.name}
            hint={`What logs in with it: ci, cluster-eu. docker knows it as robot$${org}+<name>.`}
          >
            {(c) => (
              <Input {...c} autoFocus spellCheck={false} value={form.values.name} onChange={(e) => form.set('name', e.target.value)} />
            )}
          </Field>
        )}
        <fieldset className="grid gap-2">
          <legend className="mb-1.5 font-medium text-sm">Repositories</legend>
          {rows.map((row, i) => (
            <GrantRow
              key={row.key}
              org={org}
              row={row}
              number={i + 1}
              error={form.errors[`grants.${i}.pattern`]}
              onChange={(next) => setRows(rows.map((r) => (r.key === row.key ? next : r)))}
              onRemove={rows.length > 1 ? () => setRows(rows.filter((r) => r.key !== row.key)) : undefined}
            />
          ))}
          <p className="text-ink-3 text-xs">* is every repository, team/* those that begin so, api the one of that name.</p>
          {rows.length < 20 && (
            <Button
              size="s"
              className="justify-self-start"
              icon={<Plus aria-hidden />}
              onClick={() => setRows([...rows, rowOf({ pattern: '', actions: ['pull'] })])}
            >
              Add repositories
            </Button>
          )}
        </fieldset>
        <Field label="Expires" error={form.errors.expiresInDays}>
          {(c) => (
            <Select
              {...c}
              value={form.values.lifetime}
              options={robot ? [{ value: 'keep', label: `As it is: ${untilOf(robot)}` }, ...LIFETIMES] : LIFETIMES}
              onChange={(v) => form.set('lifetime', v)}
            />
          )}
        </Field>
        <InlineError error={create.error ?? update.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={onDone}>Cancel</Button>
          <Button type="submit" variant="primary" pending={create.isPending || update.isPending}>
            {robot ? 'Save' : 'Create'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

const untilOf = ({ expiresAt }: views.RobotView) => (expiresAt ? expiresAt.toISOString().slice(0, 10) : 'never')

function GrantRow({
  org,
  row,
  number,
  error,
  onChange,
  onRemove,
}: {
  org: string
  row: Row
  number: number
  error: string | undefined
  onChange: (row: Row) => void
  onRemove: (() => void) | undefined
}) {
  return (
    <div className="grid gap-1">
      <div className="flex flex-wrap items-center gap-2">
        <Input
          mono
          className="min-w-40 flex-1"
          aria-label={`Repositories ${number}, without ${org}/`}
          aria-invalid={error ? true : undefined}
          spellCheck={false}
          placeholder="team/*"
          value={row.pattern}
          onChange={(e) => onChange({ ...row, pattern: e.target.value })}
        />
        <Select
          className="w-44"
          aria-label={`What it may do with repositories ${number}`}
          value={row.access}
          options={ACCESS.map(({ value, label }) => ({ value, label }))}
          onChange={(access) => onChange({ ...row, access })}
        />
        {onRemove && (
          <Button variant="ghost" size="icon-s" aria-label={`Remove repositories ${number}`} icon={<X aria-hidden />} onClick={onRemove} />
        )}
      </div>
      {error && <p className="text-fail text-xs">{error}</p>}
    </div>
  )
}
