'use client'
import { useMutation } from '@tanstack/react-query'
import { useRouter } from 'next/navigation'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** Creates the app and goes where its first build or deployment can be watched. */
export function useCreate(org: string, refuse: (error: unknown) => void) {
  const trpc = useTRPC()
  const router = useRouter()
  return useMutation(
    trpc.apps.create.mutationOptions({
      meta: { quiet: true },
      onError: refuse,
      onSuccess: ({ app, build, deployment }) => {
        if (build !== null) router.push(routes.build(org, app, build))
        else if (deployment !== null) router.push(routes.deployment(org, app, deployment))
        else router.push(routes.app(org, app))
      },
    }),
  )
}
