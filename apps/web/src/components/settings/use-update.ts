'use client'
import { toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTRPC } from '@/lib/trpc'

/** Saves a part of an app's settings; what serves keeps the old ones until the next deployment, and the toast says so. */
export function useUpdate(org: string, app: string, on: { saved: () => void; refuse: (error: unknown) => void; note: string }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  return useMutation(
    trpc.apps.update.mutationOptions({
      meta: { quiet: true },
      onError: on.refuse,
      onSuccess: (view) => {
        client.setQueryData(trpc.apps.get.queryKey({ org, app }), view)
        on.saved()
        toast('Settings saved', { description: on.note })
      },
    }),
  )
}
