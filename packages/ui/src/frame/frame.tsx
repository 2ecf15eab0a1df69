'use client'
import type { ReactNode } from 'react'

/** A 232 px rail, a 48 px bar, a page of at most 1160 px. The rail leaves on narrow screens (see `Sheet`). */
export function Frame({ rail, bar, children }: { rail: ReactNode; bar: ReactNode; children: ReactNode }) {
  return (
    <div className="grid min-h-dvh grid-cols-[minmax(0,1fr)] lg:grid-cols-[232px_minmax(0,1fr)]">
      <a
        href="#main"
        className="sr-only z-50 rounded-sm bg-accent font-medium text-accent-ink focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:px-3 focus:py-1.5"
      >
        Skip to the content
      </a>
      <aside className="sticky top-0 hidden h-dvh flex-col gap-0.5 overflow-y-auto border-line border-r bg-sunken p-3 lg:flex">
        {rail}
      </aside>
      <div className="flex min-w-0 flex-col">
        {bar}
        <main
          id="main"
          tabIndex={-1}
          className="mx-auto grid w-full max-w-[1208px] grid-cols-[minmax(0,1fr)] content-start gap-5 p-4 outline-none md:p-6"
        >
          {children}
        </main>
      </div>
    </div>
  )
}
