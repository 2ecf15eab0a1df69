'use client'
import { Button, Card, CardHeader, KeyValue, PageHead, Segmented } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { LogOut, Monitor, Moon, Sun } from 'lucide-react'
import { Load } from '@/components/load'
import { signOut } from '@/components/shell/account-menu'
import { Shell } from '@/components/shell/shell'
import { type Theme, useTheme } from '@/lib/theme'
import { useTRPC } from '@/lib/trpc'
import { ApiKeys } from './api-keys'
import { RegistryLogins } from './registry-logins'

/** The account stands beside the organizations; its frame is that of the organization one came from. */
export function AccountPage({ from }: { from: string | null }) {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions())
  const slugs = me.data?.organizations.map((o) => o.slug) ?? []
  const org = from && slugs.includes(from) ? from : slugs[0]
  if (!org) {
    return (
      <main className="mx-auto grid max-w-[760px] gap-5 p-6">
        <Load query={me} what="your account">
          {() => <Account />}
        </Load>
      </main>
    )
  }
  return (
    <Shell org={org}>
      <Account />
    </Shell>
  )
}

function Account() {
  const trpc = useTRPC()
  const me = useQuery(trpc.me.get.queryOptions())
  const [theme, setTheme] = useTheme()
  return (
    <div className="grid w-full max-w-[860px] grid-cols-[minmax(0,1fr)] gap-5">
      <PageHead
        title="Account"
        actions={
          <Button icon={<LogOut aria-hidden />} onClick={signOut}>
            Sign out
          </Button>
        }
      />
      <Card>
        <CardHeader title="Profile" />
        <KeyValue
          items={[
            { key: 'Name', value: me.data?.name ?? '' },
            { key: 'E-mail', value: me.data?.email ?? '' },
            { key: 'Member of', value: me.data?.organizations.map((o) => `${o.name} (${o.role})`).join(', ') ?? '' },
          ]}
        />
      </Card>
      <Card>
        <CardHeader title="Theme" />
        <div className="p-4">
          <Segmented<Theme>
            label="Theme"
            value={theme}
            onChange={setTheme}
            segments={[
              { value: 'system', label: 'As the system', icon: <Monitor aria-hidden /> },
              { value: 'light', label: 'Light', icon: <Sun aria-hidden /> },
              { value: 'dark', label: 'Dark', icon: <Moon aria-hidden /> },
            ]}
          />
        </div>
      </Card>
      <ApiKeys />
      <RegistryLogins />
    </div>
  )
}
