'use client'
import { Button, ErrorState, LinkButton } from '@slipway/ui'

/** The page itself broke: what can be told about it, and two ways on. */
export function PageError({ error, retry }: { error: Error & { digest?: string }; retry: () => void }) {
  return (
    <ErrorState
      page
      title="This page broke"
      code={error.digest ? `PAGE_ERROR ${error.digest}` : 'PAGE_ERROR'}
      message={`${error.message || 'Something unexpected happened while it was drawn.'} Try again; if it stays, the log of the web app has the cause.`}
      actions={
        <>
          <Button variant="primary" onClick={retry}>
            Try again
          </Button>
          <LinkButton href="/">Go to the overview</LinkButton>
        </>
      }
    />
  )
}
