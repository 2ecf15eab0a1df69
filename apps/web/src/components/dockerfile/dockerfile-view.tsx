'use client'
import type { Finding } from '@slipway/contracts'
import { checkDockerfile } from '@slipway/dockerfile'
import { CodeView } from '@slipway/ui'
import { type ReactNode, useMemo } from 'react'
import { highlightDockerfile } from '@/lib/highlight-dockerfile'

/** A Dockerfile to read, with what there is to say about it beneath its lines. `findings`: when the server has said it already. */
export function DockerfileView({
  text,
  findings,
  notes,
  failed,
  id = 'dockerfile',
  label = 'Dockerfile',
  className,
}: {
  text: string
  findings?: Finding[]
  /** On the right of a line: its time, or that it came from the cache. */
  notes?: Map<number, ReactNode>
  failed?: number | null
  id?: string
  label?: string
  className?: string
}) {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  const lines = useMemo(() => highlightDockerfile(body), [body])
  const found = useMemo(() => findings ?? checkDockerfile(text), [findings, text])
  return <CodeView id={id} lines={lines} label={label} findings={found} notes={notes} failed={failed} className={className} />
}
