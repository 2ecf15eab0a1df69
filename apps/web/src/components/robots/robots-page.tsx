'use client'
import type { views } from '@slipway/contracts'
import {
  Button,
  Card,
  CardHeader,
  EmptyState,
  Menu,
  MenuItem,
  MenuSeparator,
  StatusPill,
  Table,
  Td,
  Th,
  TimeAgo,
  Tr,
  toast,
} from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Bot, KeyRound, MoreHorizontal, Pause, Pencil, Play, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { DeleteRobot, RotateRobot } from './robot-dialogs'
import { RobotForm } from './robot-form'

const STATES = { active: ['live', 'Active'], disabled: ['idle', 'Disabled'], expired: ['fail', 'Expired'] } as const

type Open = { what: 'new' } | { what: 'edit' | 'rotate' | 'delete'; robot: views.RobotView } | null

/** Logins of machines: a CI job, a cluster, a server. */
export function RobotsPage({ org }: { org: string }) {
  const query = useQuery(useTRPC().robots.list.queryOptions({ org }))
  const [open, setOpen] = useState<Open>(null)
  const close = () => setOpen(null)
  return (
    <Card>
      <CardHeader
        title="Robots"
        aside={
          query.data && (
            <Button size="s" icon={<Plus aria-hidden />} onClick={() => setOpen({ what: 'new' })}>
              New robot
            </Button>
          )
        }
      />
      <Load query={query} what="the robots">
        {(robots) =>
          robots.length === 0 ? (
            <EmptyState
              icon={<Bot aria-hidden />}
              title="No robot"
              actions={
                <Button variant="primary" onClick={() => setOpen({ what: 'new' })}>
                  Make a robot
                </Button>
              }
            >
              A login of its own for a CI job, a cluster or a server: for the repositories that you name, with an end, and nobody’s password
              in it.
            </EmptyState>
          ) : (
            <RobotTable org={org} robots={robots} onOpen={setOpen} />
          )
        }
      </Load>
      <RobotForm
        org={org}
        open={open?.what === 'new' || open?.what === 'edit'}
        robot={open?.what === 'edit' ? open.robot : null}
        onDone={close}
      />
      <RotateRobot org={org} robot={open?.what === 'rotate' ? open.robot : null} onDone={close} />
      <DeleteRobot org={org} robot={open?.what === 'delete' ? open.robot : null} onDone={close} />
    </Card>
  )
}

function RobotTable({ org, robots, onOpen }: { org: string; robots: views.RobotView[]; onOpen: (open: Open) => void }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th>Robot</Th>
          <Th optional>May</Th>
          <Th className="w-28">State</Th>
          <Th optional className="w-32">
            Expires
          </Th>
          <Th optional className="w-36">
            Last used
          </Th>
          <Th className="w-14">
            <span className="sr-only">Actions</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {robots.map((robot) => (
          <Tr key={robot.id}>
            <Td className="max-w-0">
              <p className="truncate font-medium">{robot.name}</p>
              <p className="truncate font-mono text-ink-3 text-xs leading-5" title={robot.login}>
                {robot.login}
              </p>
            </Td>
            <Td optional className="max-w-0">
              <Grants grants={robot.grants} />
            </Td>
            <Td>
              <StatusPill tone={STATES[robot.state][0]}>{STATES[robot.state][1]}</StatusPill>
            </Td>
            <Td optional className="num whitespace-nowrap text-ink-2">
              {robot.expiresAt ? robot.expiresAt.toISOString().slice(0, 10) : 'never'}
            </Td>
            <Td optional className="max-w-36 text-ink-2">
              {robot.lastUsedAt ? (
                <>
                  <TimeAgo at={robot.lastUsedAt} />
                  {robot.lastUsedFrom && <p className="truncate font-mono text-ink-3 text-xs leading-5">{robot.lastUsedFrom}</p>}
                </>
              ) : (
                'never'
              )}
            </Td>
            <Td right>
              <RobotMenu org={org} robot={robot} onOpen={onOpen} />
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}

function Grants({ grants }: { grants: views.RobotView['grants'] }) {
  return (
    <ul className="grid text-xs leading-5">
      {grants.slice(0, 3).map(({ pattern, actions }) => (
        <li key={`${pattern} ${actions.join()}`} className="truncate text-ink-2">
          <span className="font-mono text-ink">{pattern}</span> {actions.join(', ')}
        </li>
      ))}
      {grants.length > 3 && <li className="text-ink-3">and {grants.length - 3} more</li>}
    </ul>
  )
}

function RobotMenu({ org, robot, onOpen }: { org: string; robot: views.RobotView; onOpen: (open: Open) => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const update = useMutation(
    trpc.robots.update.mutationOptions({
      onSuccess: (after) => {
        toast(`${after.name} is ${after.state === 'disabled' ? 'disabled' : 'enabled'}`)
        void client.invalidateQueries(trpc.robots.list.queryFilter({ org }))
      },
    }),
  )
  const disabled = robot.state === 'disabled'
  return (
    <Menu
      trigger={
        <Button
          variant="ghost"
          size="icon-s"
          aria-label={`Actions on ${robot.name}`}
          icon={<MoreHorizontal aria-hidden />}
          pending={update.isPending}
        />
      }
    >
      <MenuItem icon={<Pencil aria-hidden />} onSelect={() => onOpen({ what: 'edit', robot })}>
        Change what it may do
      </MenuItem>
      <MenuItem icon={<KeyRound aria-hidden />} onSelect={() => onOpen({ what: 'rotate', robot })}>
        New secret
      </MenuItem>
      <MenuItem
        icon={disabled ? <Play aria-hidden /> : <Pause aria-hidden />}
        onSelect={() => update.mutate({ org, id: robot.id, disabled: !disabled })}
      >
        {disabled ? 'Enable' : 'Disable'}
      </MenuItem>
      <MenuSeparator />
      <MenuItem danger icon={<Trash2 aria-hidden />} onSelect={() => onOpen({ what: 'delete', robot })}>
        Delete
      </MenuItem>
    </Menu>
  )
}
