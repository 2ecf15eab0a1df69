import type { views } from '@slipway/contracts'
import { type BuildRow, buildHistory, type Tx } from '@slipway/db'
import { adviceOf } from './advice'
import { compareBuilds } from './compare'
import { elapsed, stepView } from './views'

/** Builds that advice is made of, this one among them. */
const LAST = 5

/** What the builds before this one tell about it: the difference to the last good one, and the change that would save most. */
export async function insightsOf(db: Tx, organizationId: string, row: BuildRow): Promise<views.BuildInsightsView> {
  const rows = await buildHistory(db, organizationId, row.appId, row.number, LAST)
  const builds = rows.map(({ number, state, startedAt, finishedAt, steps }) => ({
    number,
    state,
    durationMs: elapsed(startedAt, finishedAt),
    steps: steps.map(stepView),
  }))
  const [newest] = builds
  // One that is not over, was canceled or never had steps has nothing to compare.
  if (newest?.number !== row.number) return { comparison: null, advice: null }
  const before = builds.find((build) => build.number < row.number && build.state === 'succeeded')
  return {
    comparison: before ? compareBuilds(newest, before) : null,
    advice: adviceOf(builds),
  }
}
