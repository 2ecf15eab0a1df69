'use client'
import type { views } from '@slipway/contracts'
import { Button, Card, CardHeader, ConfirmDialog, EmptyState, Select, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { UserPlus, Users } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { InlineError } from '@/components/load'
import { GiveRole, type GrantChange } from './give-role'
import { GRANT_ROLES, people, ROLE_TEXT } from './roles'

export interface GrantActions {
  give: (change: GrantChange) => Promise<unknown>
  revoke: (id: string) => Promise<unknown>
  /** Of the last of either. */
  pending: boolean
  error: unknown
  reset: () => void
}

export const holderOf = ({ to }: views.GrantView) => to.name

/** Who has a role here besides that in the organization. */
export function Grants({
  org,
  title,
  what,
  grants,
  mayManage,
  teams,
  actions,
  aside,
}: {
  org: string
  title: string
  /** `this repository`, `the project Shop`: for sentences. */
  what: string
  grants: views.GrantView[]
  mayManage: boolean
  /** False for who is no member, and knows no teams. */
  teams: boolean
  actions: GrantActions
  aside?: ReactNode
}) {
  const [giving, setGiving] = useState(false)
  const [taking, setTaking] = useState<views.GrantView | null>(null)
  const button = mayManage && (
    <Button size="s" icon={<UserPlus aria-hidden />} onClick={() => setGiving(true)} aria-label={`Give a role on ${what}`}>
      Give a role
    </Button>
  )
  return (
    <Card>
      <CardHeader
        title={title}
        aside={
          <>
            {aside}
            {button}
          </>
        }
      />
      {!giving && !taking && Boolean(actions.error) && (
        <div className="border-line border-b p-3">
          <InlineError error={actions.error} />
        </div>
      )}
      {grants.length === 0 ? (
        <EmptyState icon={<Users aria-hidden />} title="Nobody has a role of their own here">
          Members have what their role in the organization gives. A role here only ever adds to that, for one person or a team.
        </EmptyState>
      ) : (
        <Table>
          <thead>
            <tr>
              <Th>Who</Th>
              <Th className="w-40">Role</Th>
              <Th right optional className="w-32">
                Since
              </Th>
              {mayManage && (
                <Th className="w-24">
                  <span className="sr-only">Take away</span>
                </Th>
              )}
            </tr>
          </thead>
          <tbody>
            {grants.map((grant) => (
              <Tr key={grant.id}>
                <Td className="max-w-0">
                  <Holder to={grant.to} />
                </Td>
                <Td>
                  {mayManage ? (
                    <Select
                      aria-label={`Role of ${holderOf(grant)}`}
                      value={grant.role}
                      options={GRANT_ROLES}
                      disabled={actions.pending}
                      onChange={(role) => void actions.give({ role, to: toOf(grant) }).catch(() => undefined)}
                    />
                  ) : (
                    ROLE_TEXT[grant.role].label
                  )}
                </Td>
                <Td right optional className="text-ink-2">
                  <TimeAgo at={grant.createdAt} />
                </Td>
                {mayManage && (
                  <Td right>
                    <Button size="s" variant="ghost" onClick={() => setTaking(grant)} aria-label={`Take the role from ${holderOf(grant)}`}>
                      Remove
                    </Button>
                  </Td>
                )}
              </Tr>
            ))}
          </tbody>
        </Table>
      )}
      <GiveRole org={org} what={what} teams={teams} open={giving} onOpenChange={setGiving} actions={actions} />
      <ConfirmDialog
        open={taking !== null}
        onOpenChange={(open) => {
          if (open) return
          setTaking(null)
          actions.reset()
        }}
        title={`Take the role from ${taking ? holderOf(taking) : ''}`}
        action="Take it away"
        pending={actions.pending}
        error={<InlineError error={actions.error} />}
        onConfirm={() =>
          taking &&
          void actions
            .revoke(taking.id)
            .then(() => setTaking(null))
            .catch(() => undefined)
        }
      >
        {taking?.to.kind === 'user' && !taking.to.member
          ? `They are no member of the organization: ${what} is out of their sight at once, and docker is refused within five minutes.`
          : `Their role in the organization stays. What this one added to it ends at once here, and within five minutes for docker.`}
      </ConfirmDialog>
    </Card>
  )
}

const toOf = ({ to }: views.GrantView): GrantChange['to'] =>
  to.kind === 'user' ? { kind: 'user', email: to.email } : { kind: 'team', team: to.slug }

export function Holder({ to }: { to: views.GrantView['to'] }) {
  if (to.kind === 'team') {
    return (
      <>
        <p className="truncate font-medium">{to.name}</p>
        <p className="text-ink-3 text-xs leading-5">Team of {people(to.members)}</p>
      </>
    )
  }
  return (
    <>
      <p className="truncate font-medium">{to.name}</p>
      <p className="truncate text-ink-3 text-xs leading-5">
        {to.email}
        {!to.member && ' · no member'}
      </p>
    </>
  )
}
