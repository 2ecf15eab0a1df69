import type { views } from '@slipway/contracts'
import { TimeAgo } from '@slipway/ui'
import type { ReactNode } from 'react'

export const firstLine = (message: string) => message.split('\n', 1)[0] ?? ''

/** `e41c9a2 · main · 2 h ago` */
export function CommitFacts({ commit, at, children }: { commit: views.CommitView | null; at?: Date | null; children?: ReactNode }) {
  return (
    <span className="text-ink-3 text-xs leading-5">
      {commit && (
        <>
          <span className="font-mono">{commit.sha.slice(0, 7)}</span> · {commit.branch}
        </>
      )}
      {commit && at && ' · '}
      {at && <TimeAgo at={at} />}
      {children}
    </span>
  )
}
