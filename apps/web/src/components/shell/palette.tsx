'use client'
import type { views } from '@slipway/contracts'
import { CommandPalette, type PaletteGroup, type PaletteItem } from '@slipway/ui'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import {
  Activity,
  Folder,
  Hammer,
  HardDrive,
  KeyRound,
  Layers,
  LayoutDashboard,
  LogOut,
  Moon,
  Plus,
  Rocket,
  ScanSearch,
  Server,
  Settings,
  Sun,
  Zap,
} from 'lucide-react'
import { useRouter } from 'next/navigation'
import { type ReactNode, useDeferredValue, useEffect, useState } from 'react'
import { routes } from '@/lib/routes'
import { useTheme } from '@/lib/theme'
import { useTRPC } from '@/lib/trpc'
import { signOut } from './account-menu'

const ICONS: Record<views.SearchHit['kind'], ReactNode> = {
  app: <Rocket aria-hidden />,
  project: <Folder aria-hidden />,
  repository: <Layers aria-hidden />,
  build: <Hammer aria-hidden />,
  action: <Zap aria-hidden />,
}

/** Actions are offered here with what this browser can do besides; the server finds things. */
const isThing = (hit: views.SearchHit) => hit.kind !== 'action'

/** ⌘K (Ctrl+K) anywhere: what is in the organization, and what can be done. */
export function Palette({ org, open, onOpenChange }: { org: string; open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const [query, setQuery] = useState('')
  const typed = useDeferredValue(query.trim())
  const hits = useQuery(trpc.organizations.search.queryOptions({ org, query: typed }, { enabled: open, placeholderData: keepPreviousData }))
  const actions = useActions(org)
  const router = useRouter()

  useEffect(() => {
    if (!open) setQuery('')
  }, [open])
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || !(event.metaKey || event.ctrlKey) || event.altKey) return
      event.preventDefault()
      onOpenChange(!open)
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [open, onOpenChange])

  const groups: PaletteGroup[] = [
    {
      heading: 'Found',
      // What is shown of the query before is filtered here until the answer is there.
      found: !hits.isPlaceholderData,
      items: (hits.data ?? []).filter(isThing).map((hit) => ({
        id: `${hit.kind}:${hit.href}`,
        label: hit.label,
        detail: hit.detail,
        icon: ICONS[hit.kind],
        run: () => router.push(hit.href),
      })),
    },
    // Not before what was found is there, or Enter would take one of these.
    ...(typed === '' || hits.isPlaceholderData || !hits.data
      ? []
      : [
          {
            heading: 'In images',
            // Whatever was typed can be the name of one.
            found: true,
            items: (['package', 'file'] as const).map((kind) => ({
              id: `where:${kind}`,
              label: `Where is the ${kind} ${typed} used?`,
              icon: <ScanSearch aria-hidden />,
              run: () => router.push(routes.whereUsed(org, { kind, q: typed })),
            })),
          },
        ]),
    ...actions,
  ]
  // With nothing typed yet, what can be done is nearer than everything there is.
  if (typed === '') groups.push(...groups.splice(0, 1))
  return (
    <CommandPalette open={open} onOpenChange={onOpenChange} query={query} onQuery={setQuery} groups={groups} loading={hits.isFetching} />
  )
}

function useActions(org: string): PaletteGroup[] {
  const router = useRouter()
  const [, setTheme] = useTheme()
  const go = (id: string, label: string, icon: ReactNode, href: string, keywords: string[] = []): PaletteItem => ({
    id,
    label,
    icon,
    keywords,
    run: () => router.push(href),
  })
  return [
    {
      heading: 'Run',
      items: [
        go('new-app', 'New app', <Plus aria-hidden />, routes.newApp(org), ['create', 'deploy', 'git', 'image']),
        go('new-key', 'Create an API key', <KeyRound aria-hidden />, routes.account(org), ['token', 'cli', 'docker login']),
        { id: 'light', label: 'Light theme', icon: <Sun aria-hidden />, run: () => setTheme('light') },
        { id: 'dark', label: 'Dark theme', icon: <Moon aria-hidden />, run: () => setTheme('dark') },
        { id: 'sign-out', label: 'Sign out', icon: <LogOut aria-hidden />, run: signOut },
      ],
    },
    {
      heading: 'Go to',
      items: [
        go('overview', 'Overview', <LayoutDashboard aria-hidden />, routes.overview(org)),
        go('apps', 'Apps', <Rocket aria-hidden />, routes.apps(org)),
        go('builds', 'Builds', <Hammer aria-hidden />, routes.builds(org)),
        go('images', 'Images', <Layers aria-hidden />, routes.images(org), ['registry', 'docker']),
        go('storage', 'Storage', <HardDrive aria-hidden />, routes.storage(org), ['disk', 'space', 'garbage', 'verify', 'layers']),
        go('where-used', 'Where used', <ScanSearch aria-hidden />, routes.whereUsed(org), ['package', 'file', 'layer', 'find']),
        go('hosts', 'Hosts', <Server aria-hidden />, routes.hosts(org)),
        go('activity', 'Activity', <Activity aria-hidden />, routes.activity(org), ['audit']),
        go('settings', 'Settings', <Settings aria-hidden />, routes.settings(org), ['members']),
      ],
    },
  ]
}
