'use client'
import type { views } from '@slipway/contracts'
import { ConfirmDialog, toast } from '@slipway/ui'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { InlineError } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { RobotMade } from './robot-made'

interface Props {
  org: string
  robot: views.RobotView | null
  onDone: () => void
}

export function RotateRobot({ org, robot, onDone }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [made, setMade] = useState<views.CreatedRobotView | null>(null)
  const rotate = useMutation(
    trpc.robots.rotate.mutationOptions({
      meta: { quiet: true },
      onSuccess: (answer) => {
        setMade(answer)
        void client.invalidateQueries(trpc.robots.list.queryFilter({ org }))
      },
    }),
  )
  const { reset } = rotate
  useEffect(() => {
    if (robot) return
    setMade(null)
    reset()
  }, [robot, reset])
  if (made) return <RobotMade open={robot !== null} made={made} onDone={onDone} />
  return (
    <ConfirmDialog
      open={robot !== null}
      onOpenChange={(open) => !open && onDone()}
      title={`A new secret for ${robot?.name ?? ''}`}
      action="Make a new secret"
      pending={rotate.isPending}
      error={<InlineError error={rotate.error} />}
      onConfirm={() => robot && rotate.mutate({ org, id: robot.id })}
    >
      Whatever logs in with the old secret is refused from its next login on, and within five minutes where it is logged in.
    </ConfirmDialog>
  )
}

export function DeleteRobot({ org, robot, onDone }: Props) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const remove = useMutation(
    trpc.robots.delete.mutationOptions({
      meta: { quiet: true },
      onSuccess: (gone) => {
        toast(`${gone.name} is deleted`)
        onDone()
        void client.invalidateQueries(trpc.robots.list.queryFilter({ org }))
      },
    }),
  )
  return (
    <ConfirmDialog
      open={robot !== null}
      onOpenChange={(open) => {
        if (open) return
        onDone()
        remove.reset()
      }}
      title={`Delete ${robot?.name ?? ''}`}
      action="Delete"
      pending={remove.isPending}
      error={<InlineError error={remove.error} />}
      onConfirm={() => robot && remove.mutate({ org, id: robot.id })}
    >
      Whatever logs in as {robot?.login} is refused from its next login on. What it pushed stays.
    </ConfirmDialog>
  )
}
