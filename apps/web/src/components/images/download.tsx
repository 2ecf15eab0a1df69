'use client'
import { Button, toast } from '@slipway/ui'
import { useQueryClient } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useState } from 'react'
import { readError } from '@/lib/errors'
import { useTRPC } from '@/lib/trpc'

/** Fetches a document that is attached to an image, as it lies in the registry, and hands it to the browser as a file. */
export function DownloadButton({
  kind,
  children,
  ...image
}: {
  org: string
  repository: string
  reference: string
  kind: 'sbom' | 'provenance'
  children: string
}) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [pending, setPending] = useState(false)
  const download = async () => {
    setPending(true)
    try {
      const found = await client.fetchQuery({ ...trpc.images.attestation.queryOptions({ ...image, kind }), gcTime: 0 })
      if (!found) {
        toast.error('The document is no longer attached to this image')
        return
      }
      const url = URL.createObjectURL(new Blob([found.text], { type: 'application/json' }))
      const link = document.createElement('a')
      link.href = url
      link.download = found.name
      link.click()
      URL.revokeObjectURL(url)
    } catch (error) {
      toast.error('The document could not be fetched', { description: readError(error).message })
    } finally {
      setPending(false)
    }
  }
  return (
    <Button size="s" variant="ghost" icon={<Download aria-hidden />} pending={pending} onClick={download}>
      {children}
    </Button>
  )
}
