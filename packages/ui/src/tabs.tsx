'use client'
import { useEffect, useRef } from 'react'
import { cn } from './cn'
import { Link } from './link'

export interface TabLink {
  label: string
  href: string
  count?: number
}

/** Tabs that are pages: plain links with `aria-current`, scrolled sideways where they do not fit. */
export function LinkTabs({ tabs, active, label }: { tabs: TabLink[]; active: string; label: string }) {
  const current = useRef<HTMLAnchorElement>(null)
  useEffect(() => {
    current.current?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [])
  return (
    <nav aria-label={label} className="no-scrollbar -mx-4 overflow-x-auto px-4 md:mx-0 md:px-0">
      <ul className="flex min-w-max gap-5 border-line border-b">
        {tabs.map((tab) => {
          const on = tab.href === active
          return (
            <li key={tab.href}>
              <Link
                ref={on ? current : undefined}
                href={tab.href}
                aria-current={on ? 'page' : undefined}
                className={cn(
                  '-mb-px flex gap-1.5 border-b-2 pt-2 pb-2.5 -outline-offset-2 transition-colors duration-120',
                  on ? 'border-accent font-[550] text-ink' : 'border-transparent text-ink-2 hover:text-ink',
                )}
              >
                {tab.label}
                {tab.count !== undefined && <span className="num text-ink-3">{tab.count}</span>}
              </Link>
            </li>
          )
        })}
      </ul>
    </nav>
  )
}
