'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Command, Dialog, Field, Select, Table, Td, Th, TimeAgo, Tr, toast } from '@slipway/ui'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link2, Share2 } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { InlineError, Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'

const LIFETIMES = [
  { value: '1', label: '1 hour' },
  { value: '24', label: '1 day' },
  { value: '168', label: '7 days' },
  { value: '720', label: '30 days' },
  { value: '2160', label: '90 days' },
]

interface Image {
  org: string
  repository: string
  reference: string
}

/** A link by which people without an account pull this one image. */
export function ShareImage(image: Image) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button icon={<Share2 aria-hidden />} onClick={() => setOpen(true)}>
        Share
      </Button>
      <ShareDialog image={image} open={open} onOpenChange={setOpen} />
    </>
  )
}

function ShareDialog({ image, open, onOpenChange }: { image: Image; open: boolean; onOpenChange: (open: boolean) => void }) {
  const trpc = useTRPC()
  const client = useQueryClient()
  const [hours, setHours] = useState('168')
  const [url, setUrl] = useState<string | null>(null)
  const links = useQuery(trpc.shares.list.queryOptions(image, { enabled: open }))
  const refresh = () => void client.invalidateQueries(trpc.shares.list.queryFilter())
  const create = useMutation(
    trpc.shares.create.mutationOptions({
      meta: { quiet: true },
      onSuccess: (made) => {
        setUrl(made.url)
        refresh()
      },
    }),
  )
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!create.isPending) create.mutate({ ...image, expiresInHours: Number(hours) })
  }
  const change = (next: boolean) => {
    onOpenChange(next)
    if (next) return
    setUrl(null)
    create.reset()
  }
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title="Share this image"
      description="Whoever has the link sees this image and pulls it, without an account. Nothing else of the repository opens by it."
      wide
    >
      {url ? (
        <>
          <Callout tone="accent" icon={<Link2 aria-hidden />}>
            The link is shown this once. Copy it before you close this.
          </Callout>
          <Command label="Copy the link">{url}</Command>
        </>
      ) : (
        <form className="flex flex-wrap items-end gap-3" onSubmit={submit}>
          <Field label="Opens for" className="min-w-40 flex-1">
            {(c) => <Select {...c} value={hours} options={LIFETIMES} onChange={setHours} />}
          </Field>
          <Button type="submit" variant="primary" pending={create.isPending}>
            Make a link
          </Button>
        </form>
      )}
      <InlineError error={create.error} />
      <Load query={links} what="the links to this image">
        {(rows) => (rows.length > 0 ? <Links org={image.org} rows={rows} onRevoked={refresh} /> : null)}
      </Load>
    </Dialog>
  )
}

function Links({ org, rows, onRevoked }: { org: string; rows: views.ShareView[]; onRevoked: () => void }) {
  const trpc = useTRPC()
  const revoke = useMutation(
    trpc.shares.revoke.mutationOptions({
      onSuccess: () => {
        toast('The link is revoked', { description: 'A pull that has begun ends within five minutes.' })
        onRevoked()
      },
    }),
  )
  return (
    <section className="grid gap-1.5">
      <h3 className="font-medium text-sm">Links that open</h3>
      <div className="overflow-hidden rounded-md border border-line">
        <Table>
          <thead>
            <tr>
              <Th>Link</Th>
              <Th optional>Made</Th>
              <Th>Until</Th>
              <Th right>Pulls</Th>
              <Th>
                <span className="sr-only">Revoke</span>
              </Th>
            </tr>
          </thead>
          <tbody>
            {rows.map((link) => (
              <Tr key={link.id}>
                <Td className="whitespace-nowrap font-mono text-xs">{link.prefix}</Td>
                <Td optional className="max-w-40 text-ink-2">
                  <TimeAgo at={link.createdAt} />
                  <p className="truncate text-ink-3 text-xs leading-5">by {link.createdBy}</p>
                </Td>
                <Td className="num whitespace-nowrap text-ink-2">
                  <Until at={link.expiresAt} />
                </Td>
                <Td right>{link.pulls}</Td>
                <Td right>
                  <Button
                    size="s"
                    variant="danger-quiet"
                    pending={revoke.isPending && revoke.variables.id === link.id}
                    onClick={() => revoke.mutate({ org, id: link.id })}
                    aria-label={`Revoke ${link.prefix}`}
                  >
                    Revoke
                  </Button>
                </Td>
              </Tr>
            ))}
          </tbody>
        </Table>
      </div>
    </section>
  )
}

const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

export const Until = ({ at }: { at: Date }) => (
  <time dateTime={at.toISOString()} title={at.toISOString()} suppressHydrationWarning>
    {exact.format(at)}
  </time>
)
