import type { views } from '@slipway/contracts'
import { Card, CardHeader, Hash, StatusPill, Table, Td, Th, TimeAgo, type Tone, Tr } from '@slipway/ui'

function stateOf(c: views.ContainerView): { tone: Tone; word: string } {
  if (c.oomKilled) return { tone: 'fail', word: 'Out of memory' }
  if (c.state === 'running') return { tone: 'live', word: 'Running' }
  if (c.state === 'exited')
    return { tone: c.exitCode === 0 ? 'idle' : 'fail', word: c.exitCode === null ? 'Exited' : `Exited with ${c.exitCode}` }
  if (c.state === 'created') return { tone: 'busy', word: 'Created' }
  return { tone: 'idle', word: c.state === 'removed' ? 'Removed' : c.state }
}

export function ContainersCard({ containers }: { containers: views.ContainerView[] }) {
  if (containers.length === 0) return null
  return (
    <Card>
      <CardHeader title="Containers" />
      <ContainersTable containers={containers} />
    </Card>
  )
}

export function ContainersTable({ containers }: { containers: views.ContainerView[] }) {
  return (
    <Table>
      <thead>
        <tr>
          <Th>Container</Th>
          <Th optional>Host</Th>
          <Th optional>Address</Th>
          <Th optional>Started</Th>
          <Th right>
            <span className="sr-only">State</span>
          </Th>
        </tr>
      </thead>
      <tbody>
        {containers.map((c) => {
          const { tone, word } = stateOf(c)
          return (
            <Tr key={c.id}>
              <Td className="max-w-0">
                <span className="mr-2 hidden font-medium sm:inline">{c.name}</span>
                <Hash copy={c.engineId} label="the container's id">
                  {c.engineId.slice(0, 12)}
                </Hash>
              </Td>
              <Td optional>{c.host}</Td>
              <Td optional className="font-mono text-xs">
                {c.address ? `${c.address}:${c.port}` : `port ${c.port}`}
              </Td>
              <Td optional className="text-ink-2">
                {c.startedAt ? <TimeAgo at={c.startedAt} /> : '–'}
              </Td>
              <Td right>
                <StatusPill tone={tone}>{word}</StatusPill>
              </Td>
            </Tr>
          )
        })}
      </tbody>
    </Table>
  )
}
