'use client'
import { PageError } from '@/components/page-error'

export default function OrganizationError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return <PageError error={error} retry={reset} />
}
