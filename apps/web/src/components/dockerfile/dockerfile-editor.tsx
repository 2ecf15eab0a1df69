'use client'
import type { Finding } from '@slipway/contracts'
import { checkDockerfile, createIgnoreMatcher, DockerfileError, type IgnoreMatcher, LIMITS } from '@slipway/dockerfile'
import { CodeEditor } from '@slipway/ui'
import { useDeferredValue, useMemo } from 'react'
import { highlightDockerfile } from '@/lib/highlight-dockerfile'

export interface DockerfileEditorProps {
  value: string
  onChange: (value: string) => void
  /** For screen readers. */
  label?: string
  /** The context's .dockerignore: a COPY of what it leaves out is told. */
  ignoreText?: string
  /** Of the server, beside what is found here: shown until the text changes is the caller's to decide. */
  findings?: Finding[]
  id?: string
  invalid?: boolean
  describedBy?: string
  /** Of the part that scrolls: `max-h-80`. */
  className?: string
}

/** A Dockerfile to write: numbered, coloured, and checked while typing by the code that the server checks it with. */
export function DockerfileEditor({ value, label = 'Dockerfile', ignoreText = '', findings: given, ...rest }: DockerfileEditorProps) {
  const calm = useDeferredValue(value)
  const ignore = useMemo(() => matcherOf(ignoreText), [ignoreText])
  const findings = useMemo(() => [...checkDockerfile(calm, ignore ? { ignore } : {}), ...(given ?? [])], [calm, ignore, given])
  const lines = useMemo(() => highlightDockerfile(calm), [calm])
  return <CodeEditor value={value} lines={lines} findings={findings} label={label} maxLength={LIMITS.fileLength} {...rest} />
}

/** A .dockerignore with a fault of its own is no reason not to check the Dockerfile. */
function matcherOf(text: string): IgnoreMatcher | null {
  try {
    return createIgnoreMatcher(text)
  } catch (error) {
    if (error instanceof DockerfileError) return null
    throw error
  }
}
