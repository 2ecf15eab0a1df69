import { Card, Mark } from '@slipway/ui'
import type { ReactNode } from 'react'

/** The quiet page around signing in: one card, one thing to do. */
export function AuthCard({ title, lead, children, foot }: { title: string; lead?: ReactNode; children: ReactNode; foot?: ReactNode }) {
  return (
    <main className="grid min-h-dvh content-start justify-items-center gap-6 px-4 pt-[12vh] pb-12">
      <div className="flex items-center gap-2.5 font-semibold text-lg tracking-[-0.01em]">
        <Mark className="size-8 rounded-[9px]" />
        Slipway
      </div>
      <Card className="w-full max-w-[400px] p-6">
        <div className="grid gap-5">
          <div className="grid gap-1">
            <h1 className="font-semibold text-xl tracking-[-0.015em]">{title}</h1>
            {lead && <p className="text-ink-2 text-sm">{lead}</p>}
          </div>
          {children}
        </div>
      </Card>
      {foot && <div className="max-w-[400px] text-center text-ink-3 text-xs">{foot}</div>}
    </main>
  )
}
