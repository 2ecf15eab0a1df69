'use client'
import type { DetectedApp, InspectionResult, KeptDockerfile, views } from '@slipway/contracts'
import { Button, Callout } from '@slipway/ui'
import { FileCode2, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { EvidenceList } from '@/components/dockerfile/evidence'
import { DetectedHead, EMPTY_DOCKERFILE, InspectionView, keptOf, NothingDetected } from '@/components/dockerfile/inspection-view'
import { KeptEditor, WhenKept } from '@/components/dockerfile/kept-editor'
import { type InspectionHandle, useInspection } from '@/components/dockerfile/use-inspection'
import { AppForm } from './app-form'

interface Values {
  dockerfile: KeptDockerfile | null
  /** The context folder that the Dockerfile was made for, and the app's at that time: what is set under Source meanwhile counts. */
  moved: { from: string; to: string } | null
}
const valuesOf = ({ settings }: views.AppView): Values => ({ dockerfile: settings.dockerfile, moved: null })

/** The Dockerfile that is kept with the app, or the ways to one. */
export function DockerfileForm({ org, app }: { org: string; app: views.AppView }) {
  const inspection = useInspection()
  const { contextPath } = app.settings
  const folderOf = ({ moved }: Values) => (moved?.from === contextPath ? moved.to : contextPath)
  const inputOf = (values: Values) => ({ dockerfile: values.dockerfile, contextPath: folderOf(values) })
  return (
    <AppForm org={org} app={app} title="Dockerfile" note="The next build takes it." valuesOf={valuesOf} inputOf={inputOf}>
      {({ values, set }) => {
        const change = (dockerfile: KeptDockerfile | null) => set('dockerfile', dockerfile)
        if (values.dockerfile)
          return (
            <Kept
              kept={values.dockerfile}
              stored={app.settings.dockerfile}
              contextPath={folderOf(values)}
              onChange={change}
              onRemove={() => {
                inspection.reset()
                change(null)
              }}
            />
          )
        return (
          <>
            {app.settings.dockerfile && (
              <Callout>The Dockerfile of the app is removed on saving. Builds then use the repository’s own, or make one.</Callout>
            )}
            <InspectionView
              inspection={inspection}
              idle={
                <>
                  <span className="min-w-0 flex-1">
                    Builds use {app.settings.dockerfilePath} of the repository. Without one, they make it from what the repository holds.
                  </span>
                  <Look org={org} app={app.slug} inspection={inspection} />
                </>
              }
            >
              {(result, again) => (
                <Found
                  result={result}
                  again={again}
                  onUse={(detected) => {
                    set('moved', { from: contextPath, to: detected.contextPath })
                    change(keptOf(detected))
                  }}
                  onWrite={() => change(EMPTY_DOCKERFILE)}
                />
              )}
            </InspectionView>
          </>
        )
      }}
    </AppForm>
  )
}

const Look = ({ org, app, inspection }: { org: string; app: string; inspection: InspectionHandle }) => (
  <Button size="s" onClick={() => inspection.begin({ of: 'app', org, app })}>
    Look at the repository
  </Button>
)

function Kept({
  kept,
  stored,
  contextPath,
  onChange,
  onRemove,
}: {
  kept: KeptDockerfile
  stored: KeptDockerfile | null
  contextPath: string
  onChange: (kept: KeptDockerfile) => void
  onRemove: () => void
}) {
  return (
    <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-4">
      {kept.stack.length > 0 && (
        <div className="grid gap-2 text-sm">
          <p>
            Made by Slipway for <strong className="font-semibold">{kept.stack.join(', ')}</strong>
          </p>
          <EvidenceList evidence={kept.evidence} />
        </div>
      )}
      <KeptEditor value={kept} onChange={onChange} made={stored?.text ?? null} folder={contextPath} />
      <div className="flex flex-wrap items-end justify-between gap-3">
        <WhenKept value={kept.when} onChange={(when) => onChange({ ...kept, when })} />
        <Button size="s" variant="danger-quiet" icon={<Trash2 aria-hidden />} onClick={onRemove}>
          Remove
        </Button>
      </div>
    </div>
  )
}

function Found({
  result,
  again,
  onUse,
  onWrite,
}: {
  result: InspectionResult
  again: ReactNode
  onUse: (app: DetectedApp) => void
  onWrite: () => void
}) {
  const [selected, setSelected] = useState(result.apps[0])
  if (result.dockerfiles.length > 0)
    return (
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 text-sm">
        <p className="min-w-0 flex-1">
          The repository has <span className="break-all font-mono text-[12.5px]">{result.dockerfiles.join(', ')}</span>. Which one is built
          stands under Source.
        </p>
        {again}
      </div>
    )
  if (!selected) return <NothingDetected result={result} again={again} onWrite={onWrite} />
  return (
    <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-4">
      <DetectedHead apps={result.apps} selected={selected} onSelect={setSelected} again={again} />
      <div>
        <Button icon={<FileCode2 aria-hidden />} onClick={() => onUse(selected)}>
          Use this Dockerfile
        </Button>
      </div>
    </div>
  )
}
