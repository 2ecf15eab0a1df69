'use client'
import type { views } from '@slipway/contracts'
import { Card, CardHeader, RowLink, Table, Td, Th, TimeAgo, Tr } from '@slipway/ui'
import { routes } from '@/lib/routes'
import { ROLE_TEXT, VISIBILITY_TEXT } from './roles'

/** `named`: with the organization before the name. */
export function SharedApps({ apps, named }: { apps: views.SharedAppView[]; named?: boolean }) {
  if (apps.length === 0) return null
  return (
    <Card>
      <CardHeader title="Apps" />
      <Table>
        <thead>
          <tr>
            <Th>App</Th>
            <Th optional>Project</Th>
            <Th right className="w-32">
              Your role
            </Th>
          </tr>
        </thead>
        <tbody>
          {apps.map((app) => (
            <Tr key={`${app.organization.slug}/${app.slug}`} interactive>
              <Td className="max-w-0">
                <RowLink href={routes.app(app.organization.slug, app.slug)} className="block truncate font-medium">
                  {named && <span className="font-normal text-ink-2">{app.organization.slug} / </span>}
                  {app.name}
                </RowLink>
              </Td>
              <Td optional className="max-w-56 truncate text-ink-2">
                {app.project}
              </Td>
              <Td right className="text-ink-2">
                {ROLE_TEXT[app.role].label}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

export function SharedRepositories({ repositories, named }: { repositories: views.SharedRepositoryView[]; named?: boolean }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th>Repository</Th>
          <Th className="w-36">Why</Th>
          <Th right optional className="w-32">
            Pushed
          </Th>
        </tr>
      </thead>
      <tbody>
        {repositories.map((row) => (
          <Tr key={`${row.organization.slug}/${row.name}`} interactive>
            <Td className="max-w-0">
              <RowLink href={routes.repository(row.organization.slug, row.name)} className="block truncate font-medium">
                {named && <span className="font-normal text-ink-2">{row.organization.slug} / </span>}
                {row.name}
              </RowLink>
            </Td>
            <Td className="text-ink-2">{row.role ? `You are ${row.role}` : VISIBILITY_TEXT[row.visibility].label}</Td>
            <Td right optional className="text-ink-2">
              {row.lastPushedAt ? <TimeAgo at={row.lastPushedAt} /> : '–'}
            </Td>
          </Tr>
        ))}
      </tbody>
    </Table>
  )
}
