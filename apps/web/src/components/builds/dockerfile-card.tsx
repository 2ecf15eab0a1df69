'use client'
import type { views } from '@slipway/contracts'
import { formatDuration } from '@slipway/core'
import { Button, Card, CardHeader, CopyButton } from '@slipway/ui'
import { Pencil, Undo2 } from 'lucide-react'
import { type ReactNode, useMemo, useState } from 'react'
import { DockerfileEditor } from '@/components/dockerfile/dockerfile-editor'
import { DockerfileView } from '@/components/dockerfile/dockerfile-view'
import { EvidenceList } from '@/components/dockerfile/evidence'

/** The Dockerfile as it was built: what lint says of its lines, and at their ends what each cost. A copy of it can be tried out. */
export function DockerfileCard({ build }: { build: views.BuildView }) {
  const text = build.dockerfileText
  const [draft, setDraft] = useState<string | null>(null)
  const notes = useMemo(() => notesOf(build.steps), [build.steps])
  if (text === null) return null
  const failed =
    build.state === 'failed' ? (build.error?.details.line ?? build.steps.find((s) => s.state === 'failed')?.line ?? null) : null
  const { length } = build.findings
  return (
    <Card>
      <CardHeader
        title="Dockerfile"
        extra={
          draft === null && (
            <span className="text-ink-2 text-xs">
              {length === 0 ? 'nothing to improve' : length === 1 ? '1 finding' : `${length} findings`}
            </span>
          )
        }
        aside={
          draft === null ? (
            <Button size="s" variant="ghost" icon={<Pencil aria-hidden />} onClick={() => setDraft(text)}>
              Try a change
            </Button>
          ) : (
            <>
              <CopyButton text={draft} label="Copy the Dockerfile" />
              <Button size="s" variant="ghost" icon={<Undo2 aria-hidden />} onClick={() => setDraft(null)}>
                As it was built
              </Button>
            </>
          )
        }
      />
      <Origin origin={build.dockerfileOrigin} />
      {draft === null ? (
        <DockerfileView text={text} findings={build.findings} notes={notes} failed={failed} className="max-h-[70dvh]" />
      ) : (
        <div className="grid gap-2 p-4">
          <DockerfileEditor value={draft} onChange={setDraft} label={`Copy of ${build.dockerfile}`} />
          <p className="text-ink-2 text-xs">
            This is a copy that is checked while you type.{' '}
            {build.dockerfileOrigin && build.dockerfileOrigin.kind !== 'repository'
              ? 'Keep it in the app’s settings to build it.'
              : `Commit it to ${build.dockerfile} to build it.`}
          </p>
        </div>
      )}
    </Card>
  )
}

/** Of a Dockerfile that is not the repository's: whose it is, and which files it was made from. */
function Origin({ origin }: { origin: views.BuildView['dockerfileOrigin'] }) {
  if (!origin || origin.kind === 'repository') return null
  const stack = origin.stack.join(', ')
  return (
    <div className="grid gap-2 border-line border-b bg-sunken px-4 py-3 text-sm">
      <p>
        {origin.kind === 'generated' ? (
          <>
            The repository has no Dockerfile: this one was made for <strong className="font-semibold">{stack}</strong>. Keep it in the app’s
            settings to change it.
          </>
        ) : (
          <>
            This is the Dockerfile that is kept with the app
            {stack !== '' && (
              <>
                , made for <strong className="font-semibold">{stack}</strong>
              </>
            )}
            . It is changed in the app’s settings.
          </>
        )}
      </p>
      <EvidenceList evidence={origin.evidence} />
    </div>
  )
}

/** By line; the steps of one line (ONBUILD of a base) add up. */
function notesOf(steps: views.BuildStepView[]): Map<number, ReactNode> {
  const byLine = new Map<number, views.BuildStepView[]>()
  for (const step of steps) byLine.set(step.line, [...(byLine.get(step.line) ?? []), step])
  return new Map([...byLine].map(([line, of]) => [line, <Note key={line} steps={of} />]))
}

function Note({ steps }: { steps: views.BuildStepView[] }) {
  if (steps.every((s) => s.state === 'cached')) return <span className="text-ink-3">cached</span>
  if (steps.some((s) => s.state === 'failed')) return <span className="text-fail">failed</span>
  const ran = steps.filter((s) => s.state === 'done')
  if (ran.length === 0) return null
  return <span className="text-ink-2">{formatDuration(ran.reduce((sum, s) => sum + (s.durationMs ?? 0), 0))}</span>
}
