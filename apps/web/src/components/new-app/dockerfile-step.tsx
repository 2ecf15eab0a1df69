'use client'
import type { DetectedApp, InspectionResult, KeptDockerfile } from '@slipway/contracts'
import { Button, Callout } from '@slipway/ui'
import { Check, FileCode2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { DetectedHead, EMPTY_DOCKERFILE, InspectionView, keptOf, NothingDetected } from '@/components/dockerfile/inspection-view'
import { KeptEditor, WhenKept } from '@/components/dockerfile/kept-editor'
import type { InspectionHandle } from '@/components/dockerfile/use-inspection'
import { FormCard } from './form-parts'

export interface Place {
  dockerfilePath: string
  contextPath: string
}

interface Props {
  /** The Dockerfile that the app will keep; null: none. */
  kept: KeptDockerfile | null
  onKeep: (kept: KeptDockerfile | null) => void
  onPlace: (place: Place) => void
}

/** How the app is built: by which Dockerfile of the repository, or by one that was made for it. */
export function DockerfileStep({ inspection, onLook, ...rest }: Props & { inspection: InspectionHandle; onLook: (() => void) | null }) {
  return (
    <FormCard title="Dockerfile">
      <InspectionView
        inspection={inspection}
        idle={
          <>
            <span className="min-w-0 flex-1">The repository’s own, or one that is made from what it holds.</span>
            {onLook && (
              <Button size="s" onClick={onLook}>
                Look at the repository
              </Button>
            )}
          </>
        }
      >
        {(result, again) => <Result key={result.commit.sha} result={result} again={again} {...rest} />}
      </InspectionView>
    </FormCard>
  )
}

function Result({ result, again, kept, onKeep, onPlace }: Props & { result: InspectionResult; again: ReactNode }) {
  const [selected, setSelected] = useState(() => firstApp(result))
  const [own, setOwn] = useState<string | null>(result.dockerfiles[0] ?? null)
  const select = (app: DetectedApp) => {
    setSelected(app)
    onKeep(needsKeeping(app, result) ? keptOf(app) : null)
    onPlace(placeOf(app))
  }

  if (own !== null)
    return (
      <OwnDockerfile
        paths={result.dockerfiles}
        value={own}
        again={again}
        onChange={(path) => {
          setOwn(path)
          onPlace(placeOfFile(path))
        }}
      />
    )
  if (!selected && !kept) return <NothingDetected result={result} again={again} onWrite={() => onKeep(EMPTY_DOCKERFILE)} />
  const draft = kept ?? (selected ? keptOf(selected) : EMPTY_DOCKERFILE)
  return (
    <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-4">
      {selected && <DetectedHead apps={result.apps} selected={selected} onSelect={select} again={again} />}
      <KeptEditor value={draft} onChange={onKeep} made={selected?.dockerfile ?? null} folder={selected?.contextPath ?? '.'} />
      {kept ? (
        <Callout tone="accent" icon={<Check className="text-accent" aria-hidden />}>
          <div className="grid gap-3">
            <p>The app will keep this Dockerfile. It stays in the app’s settings, where you can change it.</p>
            <WhenKept value={kept.when} onChange={(when) => onKeep({ ...kept, when })} />
            {!(selected && needsKeeping(selected, result)) && (
              <div>
                <Button size="s" onClick={() => onKeep(null)}>
                  Don’t keep it
                </Button>
              </div>
            )}
          </div>
        </Callout>
      ) : (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <Button icon={<FileCode2 aria-hidden />} onClick={() => onKeep(draft)}>
            Use this Dockerfile
          </Button>
          <span className="min-w-0 flex-1 basis-56 text-ink-3 text-xs">
            Otherwise each build makes one anew from what the repository holds then.
          </span>
        </div>
      )}
    </div>
  )
}

const firstApp = ({ dockerfiles, apps }: InspectionResult): DetectedApp | null => (dockerfiles.length > 0 ? null : (apps[0] ?? null))

/** What stands until another choice is made: the likeliest Dockerfile, or the likeliest app. */
export function firstChoice(result: InspectionResult): { place: Place | null; kept: KeptDockerfile | null } {
  const [file] = result.dockerfiles
  const app = firstApp(result)
  if (file !== undefined) return { place: placeOfFile(file), kept: null }
  return app ? { place: placeOf(app), kept: needsKeeping(app, result) ? keptOf(app) : null } : { place: null, kept: null }
}

/** A build by itself finds what stands at the root of its context; which member of a workspace is meant, it cannot know. */
const needsKeeping = (app: DetectedApp, { apps }: InspectionResult) =>
  app.folder !== (app.contextPath === '.' ? '' : app.contextPath) &&
  apps.filter((other) => other.contextPath === app.contextPath).length > 1

const placeOf = ({ contextPath }: DetectedApp): Place => ({
  contextPath,
  dockerfilePath: contextPath === '.' ? 'Dockerfile' : `${contextPath}/Dockerfile`,
})
const placeOfFile = (path: string): Place => {
  const folder = path.split('/').slice(0, -1).join('/')
  return { dockerfilePath: path, contextPath: folder === '' ? '.' : folder }
}

function OwnDockerfile({
  paths,
  value,
  again,
  onChange,
}: {
  paths: string[]
  value: string
  again: ReactNode
  onChange: (path: string) => void
}) {
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2 text-sm">
      <FileCode2 className="size-4 shrink-0 text-ink-3" aria-hidden />
      {paths.length === 1 ? (
        <p className="min-w-0 flex-1">
          Dockerfile found: <span className="break-all font-mono text-[12.5px]">{value}</span>
        </p>
      ) : (
        <label className="flex min-w-0 flex-1 flex-wrap items-center gap-2">
          {paths.length} Dockerfiles found. Build with
          <select
            className="min-w-0 max-w-full rounded-sm border border-line-strong bg-surface px-2 py-1 font-mono text-[12.5px]"
            value={value}
            onChange={(event) => onChange(event.target.value)}
          >
            {paths.map((path) => (
              <option key={path}>{path}</option>
            ))}
          </select>
        </label>
      )}
      {again}
    </div>
  )
}
