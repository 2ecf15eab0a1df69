'use client'
import { useCallback, useSyncExternalStore } from 'react'
import { THEME_KEY as KEY } from './first-scripts'

export type Theme = 'system' | 'light' | 'dark'

const listeners = new Set<() => void>()

function read(): Theme {
  const stored = localStorage.getItem(KEY)
  return stored === 'light' || stored === 'dark' ? stored : 'system'
}

function apply() {
  const theme = read()
  const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
  const root = document.documentElement
  const next = dark ? 'dark' : 'light'
  if (root.dataset.theme === next) return
  // Everything at once: whatever has a transition for the pointer would go over slowly, with the old colours in between.
  root.dataset.switching = ''
  root.dataset.theme = next
  // Asked for, all styles are worked out now, while nothing may move.
  getComputedStyle(document.body).getPropertyValue('opacity')
  setTimeout(() => delete root.dataset.switching, 1)
}

function subscribe(listener: () => void) {
  const changed = () => {
    apply()
    listener()
  }
  const system = matchMedia('(prefers-color-scheme: dark)')
  listeners.add(changed)
  system.addEventListener('change', changed)
  window.addEventListener('storage', changed)
  return () => {
    listeners.delete(changed)
    system.removeEventListener('change', changed)
    window.removeEventListener('storage', changed)
  }
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore<Theme>(subscribe, read, () => 'system')
  const set = useCallback((next: Theme) => {
    if (next === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, next)
    for (const listener of listeners) listener()
  }, [])
  return [theme, set]
}
