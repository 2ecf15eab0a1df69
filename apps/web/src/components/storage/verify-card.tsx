'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import {
  Button,
  Card,
  CardHeader,
  ConfirmDialog,
  EmptyState,
  ProgressBar,
  StatusPill,
  Switch,
  TimeAgo,
  type Tone,
  toast,
} from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { InlineError } from '@/components/load'
import { count } from '@/components/organization/build-cache-card'
import { useTRPC } from '@/lib/trpc'
import { Damages } from './damages'

/** Whether everything is still what was pushed: look now, what is being looked at, and what was found. */
export function VerifyCard({ org, view }: { org: string; view: views.InstallationStorageView }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [asking, setAsking] = useState(false)
  const [repair, setRepair] = useState(false)
  const [latest] = view.verifications
  const running = latest && (latest.state === 'queued' || latest.state === 'running') ? latest : null
  const renew = () => client.invalidateQueries(trpc.storage.installation.queryFilter({ org }))
  const start = useMutation(
    trpc.storage.verify.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => {
        setAsking(false)
        void renew()
      },
    }),
  )
  const cancel = useMutation(
    trpc.storage.cancelVerification.mutationOptions({
      onSuccess: () => {
        toast('Check stopped')
        void renew()
      },
    }),
  )
  return (
    <Card>
      <CardHeader
        title="Is everything what was pushed?"
        aside={
          running ? (
            <Button size="s" pending={cancel.isPending} onClick={() => cancel.mutate({ org, id: running.id })}>
              Stop
            </Button>
          ) : (
            <Button size="s" onClick={() => setAsking(true)}>
              Check now…
            </Button>
          )
        }
      />
      {latest ? (
        <ul className="divide-y divide-line">
          {view.verifications.map((one) => (
            <li key={one.id} className="px-4 py-3">
              <Verification one={one} />
            </li>
          ))}
        </ul>
      ) : (
        <EmptyState icon={<ShieldCheck aria-hidden />} title="Not checked by hand yet">
          The registry reads each blob once in two weeks by itself. A check reads everything now, manifests and database rows included.
        </EmptyState>
      )}
      {view.damages.length > 0 && <Damages damages={view.damages} />}
      <ConfirmDialog
        open={asking}
        onOpenChange={(open) => {
          setAsking(open)
          if (!open) start.reset()
        }}
        title="Check everything"
        action={repair ? 'Check and repair' : 'Check'}
        danger={false}
        pending={start.isPending}
        error={<InlineError error={start.error} />}
        onConfirm={() => start.mutate({ org, repair })}
      >
        <div className="grid gap-4">
          <p>
            Reads {count(view.total.blobs, 'blob')} ({formatBytes(view.total.bytes)}) while pushes and pulls go on. A blob that is damaged
            is moved aside either way.
          </p>
          <Switch
            checked={repair}
            onChange={setRepair}
            label="Repair the database"
            hint="Brings back lost images and tags that the store has copies of, and writes links, sizes and layers anew from the bytes. No image is changed."
          />
        </div>
      </ConfirmDialog>
    </Card>
  )
}

const PHASES = { blobs: 'Reading blobs', records: 'Looking for lost images', manifests: 'Comparing manifests', files: 'Looking for files' }

function status(one: views.VerificationView): { tone: Tone; word: string; pulse?: boolean } {
  const left = one.found - one.repaired
  if (one.state === 'queued') return { tone: 'idle', word: 'Waiting', pulse: true }
  if (one.state === 'running') return { tone: 'busy', word: PHASES[one.phase], pulse: true }
  if (one.state === 'cancelled') return { tone: 'idle', word: 'Stopped' }
  if (one.state === 'failed') return { tone: 'fail', word: 'Failed' }
  if (left > 0) return { tone: 'fail', word: count(left, 'problem') }
  return { tone: 'live', word: one.found > 0 ? `${one.found} repaired or harmless` : 'All as pushed' }
}

function Verification({ one }: { one: views.VerificationView }) {
  const { tone, word, pulse } = status(one)
  const under = one.state === 'running'
  const done = one.totalBytes === 0 ? 1 : Math.min(1, one.bytes / one.totalBytes)
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
        <StatusPill tone={tone} pulse={pulse ?? false}>
          {word}
        </StatusPill>
        <span className="num text-ink-2">
          {under
            ? `${one.blobs.toLocaleString('en')} of ${count(one.totalBlobs, 'blob')}, ${formatBytes(one.bytes)}`
            : `${count(one.blobs, 'blob')}, ${formatBytes(one.bytes)}, ${count(one.manifests, 'manifest')}`}
          {one.repair && ' · with repair'}
        </span>
        <span className="ml-auto text-ink-3 text-xs">
          {one.requestedBy} · <TimeAgo at={one.finishedAt ?? one.createdAt} />
        </span>
      </div>
      {under && <ProgressBar label="Checked" percent={done * 100} />}
      {one.error && <p className="text-fail text-sm">{one.error}</p>}
      {one.problems.length > 0 && <Problems problems={one.problems} />}
    </div>
  )
}

function Problems({ problems }: { problems: views.VerificationView['problems'] }) {
  const [all, setAll] = useState(false)
  const sorted = [...problems].sort((a, b) => Number(a.repaired) - Number(b.repaired))
  const shown = all ? sorted : sorted.slice(0, 5)
  return (
    <ul className="grid gap-1.5 text-sm">
      {shown.map((problem) => (
        <li key={`${problem.kind} ${problem.subject} ${problem.text}`} className="grid gap-x-3 sm:grid-cols-[5.5rem_minmax(0,1fr)]">
          <span className={problem.repaired ? 'text-ink-3 text-xs leading-5' : 'font-medium text-fail text-xs leading-5'}>
            {problem.kind === 'stray' ? 'Harmless' : problem.repaired ? 'Repaired' : 'To do'}
          </span>
          <span className="min-w-0">
            <span className="block truncate font-mono text-xs leading-5" title={problem.subject}>
              {problem.subject}
            </span>
            <span className="break-words text-ink-2">{problem.text}</span>
          </span>
        </li>
      ))}
      {sorted.length > shown.length && (
        <li>
          <Button size="s" variant="ghost" onClick={() => setAll(true)}>
            Show {sorted.length - shown.length} more
          </Button>
        </li>
      )}
    </ul>
  )
}
