import { Button, Menu } from '@slipway/ui'
import { Ellipsis } from 'lucide-react'
import type { ReactNode } from 'react'

/** What else can be done with a thing, beside the one button of its head. */
export function MoreMenu({ children }: { children: ReactNode }) {
  return (
    <Menu
      trigger={
        <Button size="icon-s" aria-label="More actions">
          <Ellipsis aria-hidden />
        </Button>
      }
    >
      {children}
    </Menu>
  )
}
