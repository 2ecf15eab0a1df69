'use client'
import { Menu as MenuIcon, Search } from 'lucide-react'
import { Fragment, type ReactNode } from 'react'
import { Button } from '../button'
import { Link } from '../link'

export interface Crumb {
  label: string
  href?: string
}

/** The path to this page, and the way to everything else where there is one. */
export function Bar({
  crumbs,
  onFind,
  onMenu,
  aside,
}: {
  crumbs: Crumb[]
  onFind?: (() => void) | undefined
  onMenu: () => void
  aside?: ReactNode
}) {
  return (
    <header className="sticky top-0 z-30 flex h-12 shrink-0 items-center gap-2 border-line border-b bg-bg px-4 text-ink-2 md:px-6">
      <Button variant="ghost" size="icon" aria-label="Open the menu" onClick={onMenu} className="-ml-2 lg:hidden">
        <MenuIcon aria-hidden />
      </Button>
      <nav aria-label="Path" className="min-w-0 flex-1">
        <ol className="flex min-w-0 items-center gap-2">
          {crumbs.map((crumb, index) => {
            const last = index === crumbs.length - 1
            return (
              <Fragment key={crumb.href ?? crumb.label}>
                {index > 0 && (
                  <li aria-hidden className={last ? 'text-ink-3' : 'hidden text-ink-3 sm:block'}>
                    /
                  </li>
                )}
                <li
                  className={
                    last
                      ? 'min-w-0 truncate'
                      : index < crumbs.length - 2
                        ? 'hidden max-w-40 shrink-0 truncate sm:block'
                        : 'max-w-40 shrink-0 truncate'
                  }
                >
                  {crumb.href && !last ? (
                    <Link href={crumb.href} className="rounded-sm transition-colors duration-120 hover:text-ink">
                      {crumb.label}
                    </Link>
                  ) : (
                    <span aria-current={last ? 'page' : undefined} className={last ? 'font-[550] text-ink' : undefined}>
                      {crumb.label}
                    </span>
                  )}
                </li>
              </Fragment>
            )
          })}
        </ol>
      </nav>
      {onFind && (
        <button
          type="button"
          onClick={onFind}
          className="flex h-8 items-center gap-2 rounded-sm px-2 text-ink-2 text-sm transition-colors duration-120 hover:border-line-strong hover:text-ink md:h-7 md:w-[220px] md:border md:border-line md:bg-surface"
        >
          <Search className="size-4 shrink-0" aria-hidden />
          <span className="sr-only md:not-sr-only">Find or run…</span>
          <kbd aria-hidden className="ml-auto hidden font-mono text-[11px] text-ink-3 md:inline">
            ⌘K
          </kbd>
        </button>
      )}
      {aside}
    </header>
  )
}
