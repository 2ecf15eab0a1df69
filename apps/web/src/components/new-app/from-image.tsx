'use client'
import { inputs } from '@slipway/contracts'
import { slugify } from '@slipway/core'
import { Field, Input, Switch } from '@slipway/ui'
import { type FormEvent, useState } from 'react'
import { emptyRow, problemsOf, toInput } from '@/components/variables/rows'
import { VariableEditor } from '@/components/variables/variable-editor'
import { useForm } from '@/lib/use-form'
import { Disclosure, FormCard, FormFoot, numberOrNull, RuntimeFields } from './form-parts'
import { ProjectPicker, useProjectChoice } from './project-picker'
import { useCreate } from './use-create'

/** `slipway.local/acme/guestbook:main` → `guestbook` */
function nameOf(reference: string): string {
  const last = reference.replace(/@.*$/, '').split('/').at(-1) ?? ''
  return slugify(last.replace(/:.*$/, ''))
}

/** A push is heard of in the own registry only, and a digest never moves. */
const followable = (org: string, reference: string) => reference.trim().startsWith(`slipway.local/${org}/`) && !reference.includes('@')

export function FromImage({ org, image }: { org: string; image: string }) {
  const form = useForm({ imageReference: image, name: nameOf(image), port: '', healthPath: '/', followTag: true })
  const { values: v, errors, set } = form
  const [named, setNamed] = useState(false)
  const [rows, setRows] = useState(() => [emptyRow()])
  const [checked, setChecked] = useState(false)
  const project = useProjectChoice(org)
  const create = useCreate(org, form.refuse)
  const problems = problemsOf(rows)

  async function submit(event: FormEvent) {
    event.preventDefault()
    setChecked(true)
    if (create.isPending || project.creating || !project.ready) return
    const ready = form.check(inputs.createApp, {
      source: 'image' as const,
      org,
      project: project.choice.newName === null ? project.choice.slug : slugify(project.choice.newName),
      name: v.name,
      imageReference: v.imageReference.trim(),
      followTag: v.followTag && followable(org, v.imageReference),
      port: numberOrNull(v.port),
      healthPath: v.healthPath,
      variables: toInput(rows),
    })
    if (!ready || problems.size > 0) return
    const into = await project.resolve().catch(() => null)
    if (into !== null) create.mutate({ ...ready, project: into })
  }

  return (
    <form className="grid gap-5" onSubmit={submit} noValidate>
      <FormCard title="Image">
        <Field
          label="Image reference"
          error={errors.imageReference}
          hint={
            <>
              <span className="font-mono">slipway.local/{org}/name:tag</span> is this installation's registry; a name without a host is
              Docker Hub's.
            </>
          }
        >
          {(c) => (
            <Input
              {...c}
              mono
              autoFocus
              placeholder={`slipway.local/${org}/app:latest`}
              value={v.imageReference}
              onChange={(e) => {
                set('imageReference', e.target.value)
                if (!named) set('name', nameOf(e.target.value))
              }}
            />
          )}
        </Field>
        {followable(org, v.imageReference) && (
          <Switch
            checked={v.followTag}
            onChange={(on) => set('followTag', on)}
            label="Follow the tag"
            hint="A push of it deploys the new image."
          />
        )}
      </FormCard>
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
        title="Variables"
        summary={toInput(rows).length === 0 ? 'none' : `${toInput(rows).length}`}
        open={checked && problems.size > 0}
      >
        <VariableEditor rows={rows} onChange={setRows} problems={checked ? problems : new Map()} withScope={false} />
      </Disclosure>
      <FormFoot
        error={create.error ?? project.error}
        pending={create.isPending || project.creating || !(project.ready || project.error)}
        action="Create and deploy"
      />
    </form>
  )
}
