import type { views } from '@slipway/contracts'
import { formatBytes, formatDuration } from '@slipway/core'
import type { GraphVertex } from '@slipway/ui'
import { reasonOf } from './step-reason'

export interface Timeline {
  vertices: GraphVertex[]
  totalMs: number
}

const CHECKOUT = 'checkout'
const PUBLISH = 'publish'

/**
 * When each part of a build ran, as the graph draws it: the checkout, the steps by their stages, the publishing; null before
 * the build has begun.
 */
export function timelineOf(build: views.BuildView, now: number): Timeline | null {
  if (!build.startedAt) return null
  const origin = build.startedAt.getTime()
  const over = build.finishedAt ? Math.max(0, build.finishedAt.getTime() - origin) : null
  const begun = build.steps.flatMap((s) => (s.startedAt ? [s.startedAt.getTime() - origin] : []))
  const prepared = begun.length > 0 ? Math.max(0, Math.min(...begun)) : null
  const steps = stepVertices(build.steps, origin, now)
  const built = Math.max(prepared ?? 0, ...steps.map((v) => v.end))

  const vertices = [checkoutVertex(build, prepared, over ?? now - origin), ...steps]
  if (build.publishMs !== null && over !== null) {
    const start = Math.max(built, over - build.publishMs)
    const last = steps.at(-1)
    vertices.push({
      id: PUBLISH,
      lane: PUBLISH,
      label: PUBLISH,
      state: 'done',
      inputs: last ? [last.id] : [],
      start,
      end: start + build.publishMs,
    })
  } else if (build.state === 'running' && build.phase === 'publish') {
    const last = steps.at(-1)
    vertices.push({
      id: PUBLISH,
      lane: PUBLISH,
      label: PUBLISH,
      state: 'running',
      inputs: last ? [last.id] : [],
      start: built,
      end: now - origin,
    })
  }
  return { vertices, totalMs: Math.max(1, over ?? now - origin, ...vertices.map((v) => v.end)) }
}

/** What came before the first step: fetching the commit, reading the Dockerfile, finding the base images. */
function checkoutVertex(build: views.BuildView, prepared: number | null, untilNow: number): GraphVertex {
  const ended = build.state === 'canceled' ? 'canceled' : build.state === 'failed' ? 'failed' : 'running'
  return {
    id: CHECKOUT,
    lane: CHECKOUT,
    label: CHECKOUT,
    state: prepared === null ? ended : 'done',
    inputs: [],
    start: 0,
    end: prepared ?? Math.max(0, untilNow),
  }
}

function stepVertices(steps: views.BuildStepView[], origin: number, now: number): GraphVertex[] {
  return steps.map((s) => {
    const start = s.startedAt ? s.startedAt.getTime() - origin : 0
    const end = s.finishedAt ? s.finishedAt.getTime() - origin : s.state === 'running' ? now - origin : start + (s.durationMs ?? 0)
    const before = s.inputs.map(String)
    return {
      id: String(s.position),
      lane: s.platform === null ? stageName(s.stage) : `${shortPlatform(s.platform)} ${stageName(s.stage)}`,
      label: s.instruction,
      reason: s.state === 'cached' ? null : reasonOf(s),
      size: s.layerSize,
      // One that was canceled before it began has no place on the axis.
      state: s.state === 'canceled' && !s.startedAt ? 'skipped' : s.state,
      inputs: before.length > 0 ? before : [CHECKOUT],
      start,
      end: Math.max(start, end),
      details: detailsOf(s),
    }
  })
}

/** For a free place among the running steps, or for another build doing the same; less is not worth a word. */
export const waited = ({ waitMs }: views.BuildStepView): boolean => waitMs !== null && waitMs >= 100

/** What else is known of a step, each fact in a few words. */
export function detailsOf(step: views.BuildStepView): string[] {
  return [
    waited(step) && `waited ${formatDuration(step.waitMs ?? 0)}`,
    step.cpuMs !== null && `CPU ${formatDuration(step.cpuMs)}`,
    step.peakMemoryBytes !== null && `peak memory ${formatBytes(step.peakMemoryBytes)}`,
    step.layerSize !== null &&
      `layer ${formatBytes(step.layerSize)}${step.unpackedSize !== null ? `, unpacked ${formatBytes(step.unpackedSize)}` : ''}`,
    step.diskReadBytes !== null && `read ${formatBytes(step.diskReadBytes)} from disk`,
    step.diskWrittenBytes !== null && `wrote ${formatBytes(step.diskWrittenBytes)} to disk`,
  ].filter((fact) => fact !== false)
}

/** `linux/amd64->linux/arm64`: runs on the one, is made for the other. */
export const platformName = (platform: string) => platform.replace('->', ' → ')

/** A lane's name has room for a few letters: what it is made for, with an arrow where it runs on another. */
const shortPlatform = (platform: string) => {
  const [own = '', target] = platform.split('->').map((one) => one.replace(/^linux\//, ''))
  return target === undefined ? own : `→${target}`
}

/** Stages without a name are numbered. */
const stageName = (stage: string) => (/^\d+$/.test(stage) ? `stage ${stage}` : stage)
