'use client'
import type { views } from '@slipway/contracts'
import { isBuildOver } from '@slipway/core'
import { Card, CardHeader, Table, Th } from '@slipway/ui'
import { Fragment, useState } from 'react'
import { platformName } from '@/lib/build-graph'
import { type BuildLog, PIPELINE } from '@/lib/build-log'
import { endingOf } from '@/lib/step-ending'
import { PipelineLog } from './pipeline-log'
import { StepRow } from './step-row'

/** The Dockerfile's steps with why each ran, and their logs: the running and the failed one open, the others on demand. */
export function StepsCard({ build, log, version }: { build: views.BuildView; log: BuildLog; version: number }) {
  const [toggled, setToggled] = useState<Record<number, boolean>>({})
  const open = (step: views.BuildStepView) => toggled[step.position] ?? (step.state === 'running' || step.state === 'failed')
  const facts = [build.dockerfile, build.platform, build.host].filter(Boolean).join(' · ')
  return (
    <Card data-log-version={version}>
      <CardHeader title={build.steps.length > 0 ? 'Steps' : 'Log'} aside={<span className="font-mono text-xs">{facts}</span>} />
      {build.steps.length > 0 && (
        <Table>
          <thead>
            <tr>
              <Th className="w-12 max-md:w-9">
                <span className="sr-only">Number</span>
              </Th>
              <Th className="pl-8">Step</Th>
              <Th optional className="w-[32%]">
                Cache
              </Th>
              <Th right optional className="w-24">
                Layer
              </Th>
              <Th right className="w-28 max-md:w-20 max-md:pl-0">
                Time
              </Th>
            </tr>
          </thead>
          <tbody>
            {build.steps.map((step, i) => (
              <Fragment key={step.position}>
                {step.platform !== null && step.platform !== build.steps[i - 1]?.platform && <PlatformRow platform={step.platform} />}
                <StepRow
                  step={step}
                  ending={step.state === 'failed' ? endingOf(build.error, step) : null}
                  lines={log.lines(step.position)}
                  open={open(step)}
                  onToggle={() => setToggled((old) => ({ ...old, [step.position]: !open(step) }))}
                />
              </Fragment>
            ))}
          </tbody>
        </Table>
      )}
      <PipelineLog
        lines={log.lines(PIPELINE)}
        alone={build.steps.length === 0}
        over={isBuildOver(build.state)}
        queued={build.state === 'queued'}
        before={build.queuePosition}
      />
    </Card>
  )
}

/** Above the steps that run on one platform, or are made for another. */
function PlatformRow({ platform }: { platform: string }) {
  return (
    <tr>
      <th
        scope="rowgroup"
        colSpan={5}
        className="border-line border-b bg-sunken px-4 py-1.5 text-left font-medium font-mono text-ink-2 text-xs"
      >
        {platformName(platform)}
      </th>
    </tr>
  )
}
