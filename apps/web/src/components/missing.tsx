import { Card, EmptyState, Hash, LinkButton } from '@slipway/ui'
import { Compass } from 'lucide-react'
import type { ReactNode } from 'react'

export interface WayBack {
  href: string
  /** Where it leads: `All images`. */
  label: string
}

/** What an address names is not there, or not for whoever asks: the ways on, since trying again would change nothing. */
export function Missing({
  what,
  code,
  message,
  back,
  page,
}: {
  /** `this build` */
  what: string
  code?: string
  message?: ReactNode
  back?: WayBack | undefined
  /** All there is on its page. */
  page?: boolean
}) {
  return (
    <Card>
      <EmptyState
        {...(page && { page })}
        icon={<Compass aria-hidden />}
        title={`${what.charAt(0).toUpperCase()}${what.slice(1)} is not here`}
        actions={
          <>
            {back && (
              <LinkButton href={back.href} variant="primary">
                {back.label}
              </LinkButton>
            )}
            <LinkButton href="/" variant={back ? 'secondary' : 'primary'}>
              Go to the overview
            </LinkButton>
          </>
        }
      >
        {message ?? 'It may have been removed since.'}
        {code && (
          <p className="mt-2">
            <Hash>{code}</Hash>
          </p>
        )}
      </EmptyState>
    </Card>
  )
}
