'use client'
import type { views } from '@slipway/contracts'
import { Menu, MenuItem, MenuLabel, MenuSeparator } from '@slipway/ui'
import { ChevronsUpDown, KeyRound, LogOut, Monitor, Moon, Sun } from 'lucide-react'
import { authClient } from '@/lib/auth-client'
import { routes } from '@/lib/routes'
import { useTheme } from '@/lib/theme'

/** Signs out and starts over: nothing of this account stays in memory. */
export async function signOut() {
  await authClient.signOut()
  window.location.assign('/login')
}

export function AccountMenu({ org, me }: { org: string; me: views.MeView | undefined }) {
  const [theme, setTheme] = useTheme()
  return (
    <Menu
      align="start"
      trigger={
        <button
          type="button"
          className="flex min-h-9 w-full items-center gap-2.5 rounded-sm px-2 py-1 text-left transition-colors duration-120 hover:bg-hover"
        >
          <span
            className="grid size-6 shrink-0 place-items-center rounded-full border border-line-strong bg-surface font-semibold text-[11px] text-ink-2 uppercase"
            aria-hidden
          >
            {me?.name.trim().charAt(0) ?? ''}
          </span>
          <span className="sr-only">Account:</span>
          <span className="min-w-0 flex-1 truncate text-ink-2">{me?.name ?? ''}</span>
          <ChevronsUpDown className="size-4 shrink-0 text-ink-3" aria-hidden />
        </button>
      }
    >
      <MenuLabel>{me?.email ?? ''}</MenuLabel>
      <MenuItem href={routes.account(org)} icon={<KeyRound aria-hidden />}>
        Account and API keys
      </MenuItem>
      <MenuSeparator />
      <MenuLabel>Theme</MenuLabel>
      <MenuItem icon={<Monitor aria-hidden />} checked={theme === 'system'} onSelect={() => setTheme('system')}>
        As the system
      </MenuItem>
      <MenuItem icon={<Sun aria-hidden />} checked={theme === 'light'} onSelect={() => setTheme('light')}>
        Light
      </MenuItem>
      <MenuItem icon={<Moon aria-hidden />} checked={theme === 'dark'} onSelect={() => setTheme('dark')}>
        Dark
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<LogOut aria-hidden />} onSelect={signOut}>
        Sign out
      </MenuItem>
    </Menu>
  )
}
