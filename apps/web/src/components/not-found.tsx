import { Card, EmptyState, LinkButton } from '@slipway/ui'
import { Compass } from 'lucide-react'

export function NotFound() {
  return (
    <Card>
      <EmptyState
        page
        icon={<Compass aria-hidden />}
        title="There is nothing at this address"
        actions={
          <LinkButton href="/" variant="primary">
            Go to the overview
          </LinkButton>
        }
      >
        It may have been deleted, or the address has a slip.
      </EmptyState>
    </Card>
  )
}
