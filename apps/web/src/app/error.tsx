'use client'
import { PageError } from '@/components/page-error'

export default function RootError({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main className="mx-auto grid min-h-dvh max-w-2xl content-center p-6">
      <PageError error={error} retry={reset} />
    </main>
  )
}
