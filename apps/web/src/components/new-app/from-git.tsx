'use client'
import { inputs, type KeptDockerfile } from '@slipway/contracts'
import { slugify, sshAddress } from '@slipway/core'
import { Field, Input } from '@slipway/ui'
import { type FormEvent, useState } from 'react'
import { PasswordInput } from '@/components/auth/password-input'
import { useInspection } from '@/components/dockerfile/use-inspection'
import { emptyRow, problemsOf, toInput } from '@/components/variables/rows'
import { VariableEditor } from '@/components/variables/variable-editor'
import { useForm } from '@/lib/use-form'
import { DockerfileStep, firstChoice, type Place } from './dockerfile-step'
import { Disclosure, FormCard, FormFoot, numberOrNull, RuntimeFields } from './form-parts'
import { ProjectPicker, useProjectChoice } from './project-picker'
import { useCreate } from './use-create'

/** `https://github.com/acme/guestbook.git` → `guestbook` */
function nameOf(url: string): string {
  const last =
    url
      .replace(/[?#].*$/, '')
      .replace(/\/+$/, '')
      .split(/[/:]/)
      .at(-1) ?? ''
  return slugify(last.replace(/\.git$/, ''))
}

export function FromGit({ org }: { org: string }) {
  const form = useForm({
    gitUrl: '',
    gitBranch: 'main',
    gitToken: '',
    name: '',
    dockerfilePath: 'Dockerfile',
    contextPath: '.',
    target: '',
    port: '',
    healthPath: '/',
  })
  const { values: v, errors, set } = form
  const [named, setNamed] = useState(false)
  const [rows, setRows] = useState(() => [emptyRow()])
  const [checked, setChecked] = useState(false)
  const project = useProjectChoice(org)
  const [kept, setKept] = useState<KeptDockerfile | null>(null)
  const [looked, setLooked] = useState('')
  const place = ({ dockerfilePath, contextPath }: Place) => {
    set('dockerfilePath', dockerfilePath)
    set('contextPath', contextPath)
  }
  const inspection = useInspection((result) => {
    const first = firstChoice(result)
    setKept(first.kept)
    if (first.place) place(first.place)
  })
  const create = useCreate(org, form.refuse)
  const problems = problemsOf(rows)

  const lookAt = {
    of: 'repository' as const,
    org,
    gitUrl: v.gitUrl.trim(),
    gitBranch: v.gitBranch.trim(),
    gitToken: v.gitToken || undefined,
  }
  const overSsh = sshAddress(lookAt.gitUrl) !== null
  const known = !overSsh && inputs.startInspection.safeParse(lookAt).success
  /** As soon as a field is left with an address that can be asked; the same one is not asked again by itself. */
  function look(again = false) {
    const key = JSON.stringify(lookAt)
    if (!known || (key === looked && !again)) return
    setLooked(key)
    setKept(null)
    inspection.begin(lookAt)
  }
  /** What was found belongs to the repository that was asked. */
  function forget() {
    if (looked === '') return
    setLooked('')
    setKept(null)
    inspection.reset()
    place({ dockerfilePath: 'Dockerfile', contextPath: '.' })
  }

  async function submit(event: FormEvent) {
    event.preventDefault()
    setChecked(true)
    if (create.isPending || project.creating || !project.ready) return
    const input = {
      source: 'git' as const,
      org,
      project: project.choice.newName === null ? project.choice.slug : slugify(project.choice.newName),
      name: v.name,
      gitUrl: v.gitUrl.trim(),
      gitBranch: v.gitBranch.trim(),
      ...(v.gitToken === '' ? {} : { gitToken: v.gitToken }),
      dockerfilePath: v.dockerfilePath,
      contextPath: v.contextPath,
      target: v.target.trim() || null,
      port: numberOrNull(v.port),
      healthPath: v.healthPath,
      ...(kept && { dockerfile: kept }),
      variables: toInput(rows),
    }
    const ready = form.check(inputs.createApp, input)
    if (!ready || problems.size > 0) return
    const into = await project.resolve().catch(() => null)
    if (into !== null) create.mutate({ ...ready, project: into })
  }

  return (
    <form className="grid gap-5" onSubmit={submit} noValidate>
      <FormCard title="Repository">
        <Field
          label="Git URL"
          error={errors.gitUrl}
          hint={
            overSsh
              ? 'Over SSH: the app gets a deploy key, which its settings show. Add it to the repository, then build.'
              : 'Over https, or over SSH with a deploy key.'
          }
        >
          {(c) => (
            <Input
              {...c}
              mono
              autoFocus
              inputMode="url"
              placeholder="https://github.com/you/app.git"
              value={v.gitUrl}
              onBlur={() => look()}
              onChange={(e) => {
                set('gitUrl', e.target.value)
                forget()
                if (!named) set('name', nameOf(e.target.value))
              }}
            />
          )}
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Branch" error={errors.gitBranch}>
            {(c) => (
              <Input
                {...c}
                mono
                value={v.gitBranch}
                onBlur={() => look()}
                onChange={(e) => {
                  set('gitBranch', e.target.value)
                  forget()
                }}
              />
            )}
          </Field>
          <Field label="Access token" optional error={errors.gitToken} hint="For a private repository; kept encrypted.">
            {(c) => (
              <PasswordInput
                {...c}
                autoComplete="new-password"
                value={v.gitToken}
                onBlur={() => look()}
                onChange={(e) => {
                  set('gitToken', e.target.value)
                  forget()
                }}
              />
            )}
          </Field>
        </div>
      </FormCard>
      <DockerfileStep inspection={inspection} onLook={known ? () => look(true) : null} kept={kept} onKeep={setKept} onPlace={place} />
      <FormCard title="App">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label="Name"
            error={errors.name}
            hint={v.name ? <span className="font-mono">{slugify(v.name)}.…</span> : 'Becomes its address.'}
          >
            {(c) => (
              <Input
                {...c}
                value={v.name}
                onChange={(e) => {
                  setNamed(true)
                  set('name', e.target.value)
                }}
              />
            )}
          </Field>
          <Field label="Project" error={errors.project}>
            {(c) => <ProjectPicker control={c} state={project} />}
          </Field>
        </div>
        <RuntimeFields values={v} errors={errors} set={set} />
      </FormCard>
      <Disclosure
        title="Build"
        summary={`${kept ? 'The app’s own Dockerfile' : v.dockerfilePath} in ${v.contextPath === '.' ? 'the whole repository' : v.contextPath}`}
        open={Boolean(errors.dockerfilePath ?? errors.contextPath)}
      >
        <div className="grid gap-4 sm:grid-cols-3">
          <Field label="Dockerfile" error={errors.dockerfilePath}>
            {(c) => <Input {...c} mono value={v.dockerfilePath} onChange={(e) => set('dockerfilePath', e.target.value)} />}
          </Field>
          <Field label="Context folder" error={errors.contextPath} hint="What COPY takes from.">
            {(c) => <Input {...c} mono value={v.contextPath} onChange={(e) => set('contextPath', e.target.value)} />}
          </Field>
          <Field label="Stage" optional error={errors.target} hint="Empty: the last one.">
            {(c) => <Input {...c} mono value={v.target} onChange={(e) => set('target', e.target.value)} />}
          </Field>
        </div>
      </Disclosure>
      <Disclosure
        title="Variables"
        summary={toInput(rows).length === 0 ? 'none' : `${toInput(rows).length}`}
        open={checked && problems.size > 0}
      >
        <VariableEditor rows={rows} onChange={setRows} problems={checked ? problems : new Map()} withScope />
      </Disclosure>
      <FormFoot
        error={create.error ?? project.error}
        pending={create.isPending || project.creating || !(project.ready || project.error)}
        action="Create and build"
        note="The first build starts at once. Pushes follow when the webhook is set up."
      />
    </form>
  )
}
