'use client'
import { WebhookCard } from '@/components/webhook/webhook-card'
import { useApp } from '@/lib/use-app'
import { BuildForm } from './build-form'
import { ContextsForm } from './contexts-form'
import { DangerZone } from './danger-zone'
import { DeployKeyCard } from './deploy-key'
import { DockerfileForm } from './dockerfile-form'
import { OutputForm } from './output-form'
import { RuntimeForm } from './runtime-form'
import { SourceForm } from './source-form'

export function AppSettings({ org, app: slug }: { org: string; app: string }) {
  const { data: app } = useApp(org, slug)
  if (!app) return null
  return (
    <>
      {/* Another card may move the context folder: what this one shows begins anew then. */}
      <SourceForm key={app.settings.contextPath} org={org} app={app} />
      {app.source !== 'image' && <DeployKeyCard org={org} app={app} />}
      {app.source === 'git' && <DockerfileForm org={org} app={app} />}
      {app.source !== 'image' && <OutputForm org={org} app={app} />}
      {app.source !== 'image' && <BuildForm org={org} app={app} />}
      {app.source === 'git' && <ContextsForm org={org} app={app} />}
      <RuntimeForm org={org} app={app} />
      {app.source === 'git' && <WebhookCard org={org} app={app} />}
      <DangerZone org={org} app={app} />
    </>
  )
}
