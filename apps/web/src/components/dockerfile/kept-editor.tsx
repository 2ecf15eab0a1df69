'use client'
import type { KeptDockerfile } from '@slipway/contracts'
import { Button, Command, CopyButton, Segmented } from '@slipway/ui'
import { Download, Undo2 } from 'lucide-react'
import { useId } from 'react'
import { DockerfileEditor } from './dockerfile-editor'
import { saveFile } from './save-file'

/** A Dockerfile of the app's own to edit, take away and commit; `made` is what a change goes back to. */
export function KeptEditor({
  value,
  onChange,
  made,
  folder,
}: {
  value: KeptDockerfile
  onChange: (value: KeptDockerfile) => void
  made: string | null
  /** Where in the repository it belongs. */
  folder: string
}) {
  const at = (name: string) => (folder === '.' || folder === '' ? name : `${folder}/${name}`)
  return (
    <div className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <span className="font-medium text-sm">Dockerfile</span>
        <div className="ml-auto flex items-center gap-1">
          {made !== null && value.text !== made && (
            <Button size="s" variant="ghost" icon={<Undo2 aria-hidden />} onClick={() => onChange({ ...value, text: made })}>
              Reset
            </Button>
          )}
          <CopyButton text={value.text} label="Copy the Dockerfile" />
          <Button
            size="icon-s"
            variant="ghost"
            aria-label="Download the Dockerfile"
            title="Download the Dockerfile"
            icon={<Download aria-hidden />}
            onClick={() => saveFile('Dockerfile', value.text)}
          />
        </div>
      </div>
      <DockerfileEditor
        value={value.text}
        onChange={(text) => onChange({ ...value, text })}
        ignoreText={value.ignore}
        className="max-h-[26rem]"
      />
      <details className="group text-[12.5px] text-ink-2">
        <summary className="w-fit cursor-default rounded-sm py-1 hover:text-ink">Commit it to your repository instead</summary>
        <div className="grid grid-cols-[minmax(0,1fr)] gap-2 pt-1">
          <p>
            Download it as <span className="break-all font-mono">{at('Dockerfile')}</span>
            {value.ignore !== '' && (
              <>
                {' '}
                and the{' '}
                <button
                  type="button"
                  className="text-accent underline underline-offset-2"
                  onClick={() => saveFile('.dockerignore', value.ignore)}
                >
                  .dockerignore
                </button>{' '}
                beside it
              </>
            )}
            , then push both. From then on builds use the repository’s own.
          </p>
          <Command>{`git add ${quoted(at('Dockerfile'))}${value.ignore === '' ? '' : ` ${quoted(at('.dockerignore'))}`}\ngit commit -m "Add a Dockerfile"\ngit push`}</Command>
        </div>
      </details>
    </div>
  )
}

/** For a shell: folders are named by strangers. */
const quoted = (path: string) => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`)

/** When the app's own Dockerfile counts. */
export function WhenKept({ value, onChange }: { value: KeptDockerfile['when']; onChange: (when: KeptDockerfile['when']) => void }) {
  const id = useId()
  return (
    <div className="grid gap-1.5">
      <span id={id} className="font-medium text-sm">
        Use it
      </span>
      <Segmented
        label="When it is used"
        className="justify-self-start"
        value={value}
        onChange={onChange}
        segments={[
          { value: 'missing', label: 'While the repository has none' },
          { value: 'always', label: 'Always' },
        ]}
      />
      <p className="text-ink-3 text-xs">
        {value === 'missing' ? 'A Dockerfile that is pushed later wins.' : 'A Dockerfile in the repository is passed over.'}
      </p>
    </div>
  )
}
