'use client'
import type { views } from '@slipway/contracts'
import { formatBytes, shortDigest } from '@slipway/core'
import { Card, CardHeader, Command, EmptyState, Hash, KeyValue, LayerBar, Mark, Segmented, Table, Td, TimeAgo, Tr } from '@slipway/ui'
import { Unlink } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { instructionOf } from '@/lib/layers'
import { Until } from './share-dialog'

/** One image, for somebody who was given the link to it. */
export function SharedImage({ image }: { image: views.SharedImageView }) {
  return (
    <Around>
      <header className="grid gap-1">
        <p className="text-ink-2 text-sm">
          {image.sharedBy} of {image.organization} shares an image with you
        </p>
        <h1 className="break-words font-semibold text-xl tracking-[-0.015em]">
          {image.repository}
          {image.tag && <span className="text-ink-3">:{image.tag}</span>}
        </h1>
      </header>
      <Pull commands={image.commands} />
      <Card>
        <CardHeader title="Image" aside={formatBytes(image.size)} />
        <KeyValue
          items={[
            {
              key: 'Digest',
              value: (
                <Hash copy={image.digest} label="the digest">
                  {shortDigest(image.digest)}
                </Hash>
              ),
            },
            ...(image.platforms.length > 0
              ? [{ key: 'Platform', value: image.platforms.map((p) => p.platform).join(', '), wrap: true }]
              : []),
            ...(image.createdAt ? [{ key: 'Made', value: <TimeAgo at={image.createdAt} /> }] : []),
            { key: 'Shared', value: <TimeAgo at={image.sharedAt} /> },
            { key: 'Opens until', value: <Until at={image.expiresAt} /> },
          ]}
        />
      </Card>
      {image.platforms.length > 1 && <Platforms image={image} />}
      {image.layers.length > 0 && <Layers layers={image.layers} />}
    </Around>
  )
}

/** The same for a link that never was, that has ended, and that was revoked. */
export function SharedNothing() {
  return (
    <Around>
      <Card>
        <EmptyState page icon={<Unlink aria-hidden />} title="This link opens nothing">
          It has ended, was revoked, or is not whole. Ask the person who gave it to you for a new one.
        </EmptyState>
      </Card>
    </Around>
  )
}

function Around({ children }: { children: ReactNode }) {
  return (
    <main className="mx-auto grid w-full max-w-[760px] grid-cols-[minmax(0,1fr)] content-start gap-5 px-4 py-10">
      <div className="flex items-center gap-2 font-semibold text-sm">
        <Mark className="size-6 rounded-[7px]" />
        Slipway
      </div>
      {children}
    </main>
  )
}

const CLIENTS = ['docker', 'podman', 'skopeo'] as const

function Pull({ commands }: { commands: views.SharedImageView['commands'] }) {
  const [client, setClient] = useState<(typeof CLIENTS)[number]>('docker')
  return (
    <Card>
      <CardHeader
        title="Pull it"
        aside={
          <Segmented label="Client" value={client} segments={CLIENTS.map((value) => ({ value, label: value }))} onChange={setClient} />
        }
      />
      <div className="grid gap-2 p-4">
        {client === 'docker' && <Command label="Copy the login">{commands.login}</Command>}
        <Command>{commands[client]}</Command>
        <p className="text-ink-3 text-xs">No account is needed: the password is the one of this link, and ends with it.</p>
      </div>
    </Card>
  )
}

function Platforms({ image }: { image: views.SharedImageView }) {
  return (
    <Card>
      <CardHeader title="Platforms" aside="your client takes the one that fits" />
      <Table>
        <tbody>
          {image.platforms.map((p) => (
            <Tr key={p.digest}>
              <Td className="font-medium">{p.platform}</Td>
              <Td className="font-mono text-ink-3 text-xs">{shortDigest(p.digest)}</Td>
              <Td right>{formatBytes(p.size)}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

function Layers({ layers }: { layers: views.SharedImageView['layers'] }) {
  const [selected, setSelected] = useState<string | null>(null)
  const rows = layers.map((layer, i) => ({
    ...layer,
    id: `${i} ${layer.digest}`,
    label: layer.createdBy ? instructionOf(layer) : shortDigest(layer.digest),
  }))
  const shown = rows.filter((row) => selected === null || row.id === selected)
  return (
    <Card>
      <CardHeader title="Layers" aside={layers.length === 1 ? '1 layer' : `${layers.length} layers`} />
      <div className="border-line border-b p-4">
        <LayerBar layers={rows.map((row) => ({ ...row, kind: 'own' }))} selected={selected} onSelect={setSelected} />
      </div>
      <Table>
        <tbody>
          {shown.map((row) => (
            <Tr key={row.id}>
              <Td className="w-full max-w-0">
                <p className="truncate font-mono text-xs leading-5" title={row.label}>
                  {row.label}
                </p>
              </Td>
              <Td right>{formatBytes(row.size)}</Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}
