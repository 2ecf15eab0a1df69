import { NotFound } from '@/components/not-found'

export default function RootNotFound() {
  return (
    <main className="mx-auto grid min-h-dvh max-w-xl content-center p-6">
      <NotFound />
    </main>
  )
}
