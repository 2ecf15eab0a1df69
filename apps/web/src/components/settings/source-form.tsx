'use client'
import { inputs, type views } from '@slipway/contracts'
import { sshAddress } from '@slipway/core'
import { Button, Field, Input, Switch } from '@slipway/ui'
import { useState } from 'react'
import { PasswordInput } from '@/components/auth/password-input'
import { useForm } from '@/lib/use-form'
import { SettingsCard } from './settings-card'
import { useUpdate } from './use-update'

const valuesOf = ({ name, settings: s }: views.AppView) => ({
  name,
  gitUrl: s.gitUrl ?? '',
  gitBranch: s.gitBranch ?? '',
  gitToken: '',
  dockerfilePath: s.dockerfilePath,
  contextPath: s.contextPath,
  target: s.target ?? '',
  imageReference: s.imageReference ?? '',
  autoDeploy: s.autoDeploy,
  buildPullRequests: s.buildPullRequests,
  followTag: s.followTag,
})

/** Where the app comes from. */
export function SourceForm({ org, app }: { org: string; app: views.AppView }) {
  const form = useForm(valuesOf(app))
  const { values: v, errors, set } = form
  const [forget, setForget] = useState(false)
  const git = app.source === 'git'
  const uploaded = app.source === 'upload'
  const update = useUpdate(org, app.slug, {
    saved: () => {
      setForget(false)
      form.set('gitToken', '')
      form.setDirty(false)
    },
    refuse: form.refuse,
    note: git ? 'The next build takes them.' : 'The next deployment takes them.',
  })
  const submit = () => {
    const token = v.gitToken !== '' ? { gitToken: v.gitToken } : forget ? { gitToken: null } : {}
    const part = uploaded
      ? {}
      : git
        ? {
            gitUrl: v.gitUrl.trim(),
            gitBranch: v.gitBranch.trim(),
            dockerfilePath: v.dockerfilePath,
            contextPath: v.contextPath,
            target: v.target.trim() || null,
            autoDeploy: v.autoDeploy,
            buildPullRequests: v.buildPullRequests,
            ...token,
          }
        : { imageReference: v.imageReference.trim(), followTag: v.followTag }
    const input = form.check(inputs.updateApp, { org, app: app.slug, name: v.name, ...part })
    if (input) update.mutate(input)
  }
  return (
    <SettingsCard
      title="Source"
      dirty={form.dirty || forget}
      pending={update.isPending}
      error={update.error}
      onSubmit={submit}
      onDiscard={() => {
        form.reset(valuesOf(app))
        setForget(false)
        update.reset()
      }}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Name" error={errors.name} hint={<>Its address stays {app.slug}.</>}>
          {(c) => <Input {...c} value={v.name} onChange={(e) => set('name', e.target.value)} />}
        </Field>
        {app.source === 'image' && (
          <Field label="Image reference" error={errors.imageReference}>
            {(c) => <Input {...c} mono value={v.imageReference} onChange={(e) => set('imageReference', e.target.value)} />}
          </Field>
        )}
      </div>
      {app.source === 'image' && (
        <Switch
          checked={v.followTag}
          onChange={(on) => set('followTag', on)}
          label="Follow the tag"
          hint={`A push of it to slipway.local/${org}/… deploys the new image.`}
        />
      )}
      {git && (
        <>
          <Field label="Git URL" error={errors.gitUrl} hint={sshAddress(v.gitUrl.trim()) && 'Over SSH: read with the deploy key below.'}>
            {(c) => <Input {...c} mono inputMode="url" value={v.gitUrl} onChange={(e) => set('gitUrl', e.target.value)} />}
          </Field>
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Branch" error={errors.gitBranch}>
              {(c) => <Input {...c} mono value={v.gitBranch} onChange={(e) => set('gitBranch', e.target.value)} />}
            </Field>
            <Field
              label="Access token"
              optional
              error={errors.gitToken}
              hint={
                forget
                  ? 'Removed on saving.'
                  : app.settings.hasGitToken
                    ? 'One is stored; type to replace it.'
                    : 'For a private repository; kept encrypted.'
              }
            >
              {(c) => (
                <div className="flex gap-2">
                  <div className="min-w-0 flex-1">
                    <PasswordInput
                      {...c}
                      autoComplete="new-password"
                      disabled={forget}
                      placeholder={app.settings.hasGitToken && !forget ? '••••••••' : undefined}
                      value={v.gitToken}
                      onChange={(e) => set('gitToken', e.target.value)}
                    />
                  </div>
                  {app.settings.hasGitToken && (
                    <Button onClick={() => setForget(!forget)} aria-pressed={forget}>
                      {forget ? 'Keep' : 'Remove'}
                    </Button>
                  )}
                </div>
              )}
            </Field>
          </div>
          <div className="grid gap-4 sm:grid-cols-3">
            <Field label="Dockerfile" error={errors.dockerfilePath}>
              {(c) => <Input {...c} mono value={v.dockerfilePath} onChange={(e) => set('dockerfilePath', e.target.value)} />}
            </Field>
            <Field label="Context folder" error={errors.contextPath}>
              {(c) => <Input {...c} mono value={v.contextPath} onChange={(e) => set('contextPath', e.target.value)} />}
            </Field>
            <Field label="Stage" optional error={errors.target}>
              {(c) => <Input {...c} mono value={v.target} onChange={(e) => set('target', e.target.value)} />}
            </Field>
          </div>
          <Switch
            checked={v.autoDeploy}
            onChange={(on) => set('autoDeploy', on)}
            label="Build and deploy on every push"
            hint="Off: deliveries are listed, and builds are started by hand."
          />
          <Switch
            checked={v.buildPullRequests}
            onChange={(on) => set('buildPullRequests', on)}
            label="Build pull requests"
            hint={`Those into ${v.gitBranch || 'the branch'}, as a check: nothing is published or deployed. Anyone who may open one runs code in a build; from a fork it gets no secrets and writes no cache.`}
          />
        </>
      )}
    </SettingsCard>
  )
}
