'use client'
import { toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useTRPC } from '@/lib/trpc'

/** Saves a part of what a repository says of itself, and renews where it is shown. */
export function useSaveAbout(org: string, repository: string, onError: (error: unknown) => void, onDone: () => void) {
  const trpc = useTRPC()
  const client = useQueryClient()
  return useMutation(
    trpc.repositories.setAbout.mutationOptions({
      meta: { quiet: true },
      onError,
      onSuccess: (next) => {
        client.setQueryData(trpc.repositories.about.queryKey({ org, repository }), next)
        void client.invalidateQueries(trpc.images.repository.queryFilter({ org, repository }))
        void client.invalidateQueries(trpc.images.repositories.queryFilter({ org }))
        toast('Saved')
        onDone()
      },
    }),
  )
}
