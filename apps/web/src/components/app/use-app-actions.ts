'use client'
import type { views } from '@slipway/contracts'
import { toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTRPC } from '@/lib/trpc'

/** Stop and start; the page shows the answer at once, the stream brings what follows. */
export function useAppActions(org: string, app: Pick<views.AppView, 'slug' | 'name'>) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const show = (view: views.AppView) => client.setQueryData(trpc.apps.get.queryKey({ org, app: app.slug }), view)
  const stop = useMutation(
    trpc.apps.stop.mutationOptions({
      onSuccess: (view) => {
        show(view)
        toast(`${app.name} is stopping`, { description: 'Its address answers again after a start.' })
      },
    }),
  )
  const start = useMutation(
    trpc.apps.start.mutationOptions({
      onSuccess: (view) => {
        show(view)
        toast(`${app.name} is starting`)
      },
    }),
  )
  return { stop, start }
}
