'use client'
import type { views } from '@slipway/contracts'
import { Button, Callout, Card, CardHeader, EmptyState, Input, Link, Select, SkeletonRows, Table, Td, Th, Tr } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { PackageSearch } from 'lucide-react'
import { useDeferredValue, useMemo, useState } from 'react'
import { Load } from '@/components/load'
import { useOutside } from '@/components/shell/outside-context'
import { instructionOf } from '@/lib/layers'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import { DownloadButton } from './download'
import { useFilesState } from './files/files-tab'

interface Props {
  org: string
  repository: string
  /** The image's digest. */
  reference: string
  image: views.ImageView
}

const TYPES: Record<string, string> = {
  deb: 'Debian',
  apk: 'Alpine',
  rpm: 'RPM',
  npm: 'npm',
  pypi: 'Python',
  golang: 'Go',
  other: 'Other',
}
const typeName = (type: string | null) => TYPES[type ?? 'other'] ?? type ?? 'Other'
/** As many as fill a screen; the others are asked for. */
const SHOWN = 25

/** What the image is made of: every package with its version, its licence and the layer that brought it. */
export function PackagesCard(props: Props) {
  const { org, repository, reference } = props
  const trpc = useTRPC()
  const query = useQuery(trpc.images.sbom.queryOptions({ org, repository, reference }, { staleTime: 60_000 }))
  const sbom = query.data
  return (
    <Card>
      <CardHeader
        title={sbom ? `${sbom.total.toLocaleString('en')} ${sbom.total === 1 ? 'package' : 'packages'}` : 'Packages'}
        aside={
          sbom && (
            <DownloadButton org={org} repository={repository} reference={reference} kind="sbom">
              SPDX
            </DownloadButton>
          )
        }
      />
      <Load query={query} what="this image’s packages">
        {(found) => (found ? <Packages org={org} sbom={found} image={props.image} /> : <FromLayers {...props} />)}
      </Load>
    </Card>
  )
}

/** None is attached: what the files of the layers tell. */
function FromLayers({ org, repository, reference, image }: Props) {
  const trpc = useTRPC()
  const state = useFilesState(org, repository, reference)
  const query = useQuery(
    trpc.files.packages.queryOptions({ org, repository, reference }, { enabled: state.data?.total != null, staleTime: 60_000 }),
  )
  if (state.data?.state === 'waiting') return <SkeletonRows rows={4} label="Reading the layers of this image" />
  if (state.error)
    return (
      <Load query={state} what="the layers of this image">
        {() => null}
      </Load>
    )
  return (
    <Load query={query} what="this image’s packages">
      {(found) => (
        <>
          <div className="px-4 pt-3">
            <Callout>No list of packages is attached to this image: this is what the files of its layers tell.</Callout>
          </div>
          <Packages org={org} sbom={found} image={image} />
        </>
      )}
    </Load>
  )
}

function Packages({ org, sbom, image }: { org: string; sbom: views.SbomView | views.LayerPackagesView; image: views.ImageView }) {
  const outside = useOutside()
  const [text, setText] = useState('')
  const [type, setType] = useState('all')
  const [all, setAll] = useState(false)
  const wanted = useDeferredValue(text.trim().toLowerCase())
  const found = useMemo(
    () =>
      sbom.packages.filter(
        (one) =>
          (type === 'all' || (one.type ?? 'other') === type) &&
          (wanted === '' || `${one.name} ${one.version ?? ''} ${one.license ?? ''}`.toLowerCase().includes(wanted)),
      ),
    [sbom, type, wanted],
  )
  const shown = all ? found : found.slice(0, SHOWN)
  const layers = new Map(image.layers.map((layer) => [layer.position, layer]))
  if (sbom.total === 0)
    return (
      <EmptyState icon={<PackageSearch aria-hidden />} title="No packages in this image">
        It was looked through for Debian, Alpine, RPM, npm, Python and Go packages.
      </EmptyState>
    )
  return (
    <>
      <div className="flex flex-wrap gap-2 px-4 py-3">
        <Input
          type="search"
          aria-label="Search packages"
          placeholder="Name, version or licence"
          className="w-full sm:w-72"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Select
          aria-label="Type of package"
          className="w-44"
          value={type}
          onChange={setType}
          options={[
            { value: 'all', label: `All types (${sbom.total})` },
            ...sbom.types.map(({ type: value, count }) => ({ value, label: `${typeName(value)} (${count})` })),
          ]}
        />
      </div>
      {sbom.notes.map((note) => (
        <div key={note} className="px-4 pb-3">
          <Callout tone="busy">{note}</Callout>
        </div>
      ))}
      {found.length === 0 ? (
        <p className="px-4 pb-6 text-ink-2 text-sm">No package matches.</p>
      ) : (
        <Table>
          <thead>
            <tr>
              <Th>Package</Th>
              <Th className="w-24 sm:w-48">Version</Th>
              <Th optional className="w-20">
                Type
              </Th>
              <Th optional>Licence</Th>
              <Th optional>Layer</Th>
            </tr>
          </thead>
          <tbody>
            {shown.map((one) => {
              const layer = one.layer === null ? undefined : layers.get(one.layer)
              return (
                <Tr key={`${one.purl ?? one.name} ${one.version} ${one.path}`}>
                  <Td className="max-w-0">
                    {outside ? (
                      <span className="block truncate font-medium" title={one.purl ?? one.name}>
                        {one.name}
                      </span>
                    ) : (
                      <Link
                        className="block truncate font-medium hover:underline"
                        title={`${one.purl ?? one.name}: where else it is used`}
                        href={routes.whereUsed(org, { kind: 'package', q: one.name })}
                      >
                        {one.name}
                      </Link>
                    )}
                  </Td>
                  <Td className="max-w-0">
                    <span className="block truncate font-mono text-[12.5px]" title={one.version ?? undefined}>
                      {one.version ?? '–'}
                    </span>
                  </Td>
                  <Td optional className="text-ink-2">
                    {typeName(one.type)}
                  </Td>
                  <Td optional className="max-w-0">
                    <span className="block truncate text-ink-2" title={one.license ?? undefined}>
                      {one.license ?? '–'}
                    </span>
                  </Td>
                  <Td optional className="max-w-0">
                    <span
                      className="block truncate font-mono text-[12.5px] text-ink-2"
                      title={layer ? `${instructionOf(layer)}\n${one.path}` : (one.path ?? undefined)}
                    >
                      {layer ? `${layer.position + 1} · ${instructionOf(layer)}` : '–'}
                    </span>
                  </Td>
                </Tr>
              )
            })}
          </tbody>
        </Table>
      )}
      {(found.length > SHOWN || sbom.total > sbom.packages.length) && (
        <footer className="flex items-center gap-3 border-line border-t bg-sunken px-4 py-2 text-ink-2 text-sm">
          {found.length > SHOWN && (
            <Button size="s" onClick={() => setAll(!all)}>
              {all ? `Show only ${SHOWN}` : `Show all ${found.length.toLocaleString('en')}`}
            </Button>
          )}
          {sbom.total > sbom.packages.length && (
            <span>
              {sbom.packages.length.toLocaleString('en')} of {sbom.total.toLocaleString('en')} are listed here; the download has all.
            </span>
          )}
        </footer>
      )}
    </>
  )
}
