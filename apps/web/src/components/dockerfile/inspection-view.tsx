'use client'
import type { DetectedApp, InspectionResult, KeptDockerfile } from '@slipway/contracts'
import { Button, Callout, Field, Select } from '@slipway/ui'
import { CircleAlert, FileCode2, RotateCw, Search, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { readError } from '@/lib/errors'
import { EvidenceList } from './evidence'
import type { InspectionHandle } from './use-inspection'

/** What a look at a repository is at or has told; `children` draws a result. One line while there is none, so that nothing jumps. */
export function InspectionView({
  inspection,
  idle,
  children,
}: {
  inspection: InspectionHandle
  idle: ReactNode
  children: (result: InspectionResult, again: ReactNode) => ReactNode
}) {
  const { view, pending, error, again, reset } = inspection
  const retry = again && (
    <Button size="s" icon={<RotateCw aria-hidden />} onClick={again}>
      Look again
    </Button>
  )
  if (pending)
    return (
      <Line icon={<Search className="size-4 shrink-0 animate-pulse text-accent" aria-hidden />}>
        <span className="min-w-0 flex-1 truncate" role="status">
          {view?.progress ?? (view?.state === 'running' ? 'Looking into the repository' : 'Waiting for the worker')}…
        </span>
        <Button size="s" variant="ghost" onClick={reset}>
          Stop
        </Button>
      </Line>
    )
  const failed = error ? readError(error) : view?.state === 'failed' ? view.error : null
  if (failed)
    return (
      <Callout tone="fail" icon={<CircleAlert className="text-fail" aria-hidden />}>
        <div role="alert" className="grid gap-2">
          <p>
            {failed.message} <span className="whitespace-nowrap font-mono text-ink-2 text-xs">{failed.code}</span>
          </p>
          <div>{retry}</div>
        </div>
      </Callout>
    )
  if (view?.result) return children(view.result, retry)
  return <Line icon={<FileCode2 className="size-4 shrink-0 text-ink-3" aria-hidden />}>{idle}</Line>
}

const Line = ({ icon, children }: { icon: ReactNode; children: ReactNode }) => (
  <div className="flex min-h-8 items-center gap-2.5 text-ink-2 text-sm">
    {icon}
    {children}
  </div>
)

/** `Detected: Node 20, pnpm 9, Next.js`, which files say so, and what to know. With several apps, a choice of folders. */
export function DetectedHead({
  apps,
  selected,
  onSelect,
  again,
}: {
  apps: DetectedApp[]
  selected: DetectedApp
  onSelect: (app: DetectedApp) => void
  again: ReactNode
}) {
  return (
    <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <p className="min-w-0 flex-1 text-sm">
          No Dockerfile found. Detected: <strong className="break-words font-semibold">{selected.stack.join(', ')}</strong>
        </p>
        {again}
      </div>
      {apps.length > 1 && (
        <Field label="Folder of the app" hint={`${apps.length} apps were found in the repository.`}>
          {(c) => (
            <Select
              {...c}
              value={String(apps.indexOf(selected))}
              onChange={(index) => {
                const app = apps[Number(index)]
                if (app) onSelect(app)
              }}
              options={apps.map((app, i) => ({
                value: String(i),
                label: `${app.folder === '' ? 'the whole repository' : app.folder} · ${app.stack.join(', ')}`,
              }))}
            />
          )}
        </Field>
      )}
      <EvidenceList evidence={selected.evidence} />
      {selected.warnings.map((warning) => (
        <Callout key={warning} tone="busy" icon={<TriangleAlert className="text-busy" aria-hidden />}>
          <span className="break-words">{warning}</span>
        </Callout>
      ))}
    </div>
  )
}

/** Nothing that is known: what was looked for, what stood in the way, and the way on. */
export function NothingDetected({ result, again, onWrite }: { result: InspectionResult; again: ReactNode; onWrite: () => void }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3 text-sm">
      <p>
        No Dockerfile found, and none could be made.{' '}
        {result.refused.length === 0 && <span className="text-ink-2">Looked for {result.lookedFor}.</span>}
      </p>
      {result.refused.length > 0 && (
        <ul className="grid gap-1 text-ink-2">
          {result.refused.map(({ folder, refused }) => (
            <li key={folder} className="break-words">
              {folder !== '' && <span className="font-mono text-[12.5px]">{folder}: </span>}
              {refused}
            </li>
          ))}
        </ul>
      )}
      <div className="flex flex-wrap gap-2">
        <Button size="s" icon={<FileCode2 aria-hidden />} onClick={onWrite}>
          Write one here
        </Button>
        {again}
      </div>
    </div>
  )
}

export const keptOf = ({ dockerfile, ignore, stack, evidence }: DetectedApp): KeptDockerfile => ({
  text: dockerfile,
  ignore,
  when: 'missing',
  stack,
  evidence,
})

/** What is written by hand begins with this. */
export const EMPTY_DOCKERFILE: KeptDockerfile = {
  text: 'FROM slipway.local/base/debian:bookworm\nWORKDIR /app\nCOPY . .\nUSER 1000\nEXPOSE 8080\nCMD ["./start"]\n',
  ignore: '.git\n',
  when: 'missing',
  stack: [],
  evidence: [],
}
