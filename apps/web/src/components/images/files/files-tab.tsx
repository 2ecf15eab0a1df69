'use client'
import type { views } from '@slipway/contracts'
import { formatBytes } from '@slipway/core'
import { Callout, Card, CardHeader, EmptyState, Input, LinkButton, SkeletonRows, Switch } from '@slipway/ui'
import { useQuery } from '@tanstack/react-query'
import { FolderTree, Layers, TriangleAlert } from 'lucide-react'
import { useDeferredValue, useRef, useState } from 'react'
import { Load } from '@/components/load'
import { ancestors, linkTarget } from '@/lib/files'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'
import type { ImageTabProps } from '../image-page'
import { FileDialog } from './file-dialog'
import { FileHead } from './file-row'
import { FileSearch } from './file-search'
import { FileTree } from './file-tree'
import { WastedCard } from './wasted-card'

/** Layers are read in the background: asked again until they are. */
const WAIT_MS = 1500

export function useFilesState(org: string, repository: string, reference: string) {
  const trpc = useTRPC()
  return useQuery(
    trpc.files.state.queryOptions(
      { org, repository, reference },
      { refetchInterval: ({ state }) => (state.data?.state === 'waiting' ? WAIT_MS : false) },
    ),
  )
}

/** Every file of the image, the layer that brought it, and what later layers hide. */
export function FilesTab(props: ImageTabProps) {
  const { org, repository, image } = props
  const query = useFilesState(org, repository, image.digest)
  if (image.children.length > 0) return <ChoosePlatform {...props} />
  return (
    <Load query={query} what="the files of this image" card>
      {(state) =>
        state.total ? (
          <>
            <Files {...props} state={state} total={state.total} />
            <WastedCard image={image} total={state.total} />
          </>
        ) : state.state === 'index' ? (
          <Card>
            <EmptyState icon={<Layers aria-hidden />} title="This is no image">
              It is an index of blobs that lie beside each other, as a cache of BuildKit is: together they make no files.
            </EmptyState>
          </Card>
        ) : (
          <Reading state={state} />
        )
      }
    </Load>
  )
}

function ChoosePlatform({ org, repository, image }: ImageTabProps) {
  return (
    <Card>
      <EmptyState
        icon={<Layers aria-hidden />}
        title="Each platform has files of its own"
        actions={image.children.map((child) => (
          <LinkButton key={child.digest} href={routes.imageTab(org, repository, child.digest, 'files')}>
            {child.platform}
          </LinkButton>
        ))}
      >
        This tag is an index of {image.children.length} images. Choose one to look into it.
      </EmptyState>
    </Card>
  )
}

function Reading({ state }: { state: views.ImageFilesView }) {
  const left = state.layers.filter((layer) => layer.state === 'waiting').length
  const why = state.layers.find((layer) => layer.error)?.error
  return (
    <Card>
      <CardHeader title="Reading the layers" aside={`${state.layers.length - left} of ${state.layers.length} read`} />
      {why && (
        <div className="px-4 pt-4">
          <Callout tone="busy" icon={<TriangleAlert aria-hidden />}>
            {why} It is tried again.
          </Callout>
        </div>
      )}
      <SkeletonRows rows={8} label="Reading the layers of this image" />
    </Card>
  )
}

function Files({ org, repository, image, state, total }: ImageTabProps & { state: views.ImageFilesView; total: views.FileTotals }) {
  const [hidden, setHidden] = useState(false)
  const [text, setText] = useState('')
  const [expanded, setExpanded] = useState<Map<string, number>>(new Map([['', 1]]))
  const [active, setActive] = useState<string | null>(null)
  const [opened, setOpened] = useState<views.FileView | null>(null)
  const search = useRef<HTMLInputElement>(null)
  const wanted = useDeferredValue(text.trim())
  const unread = state.layers.filter((layer) => layer.state !== 'ready')

  const reveal = (path: string) => {
    setText('')
    setExpanded((old) => new Map([...old, ...ancestors(path).map((one) => [one, old.get(one) ?? 1] as const)]))
    setActive(path)
  }
  const open = (file: views.FileView) => {
    if (file.kind === 'symlink' && file.link) reveal(linkTarget(file.path, file.link))
    else if (file.kind === 'file') setOpened(file)
  }
  const at = { org, repository, reference: image.digest }
  return (
    <Card>
      <CardHeader
        title={`${total.files.toLocaleString('en')} ${total.files === 1 ? 'file' : 'files'}`}
        aside={`${formatBytes(total.bytes)} in ${total.directories.toLocaleString('en')} ${total.directories === 1 ? 'directory' : 'directories'}`}
      />
      {unread.length > 0 && (
        <div className="px-4 pt-3">
          <Callout tone="busy" icon={<TriangleAlert aria-hidden />}>
            {unread.length === 1 ? 'One layer is' : `${unread.length} layers are`} missing here. Layer {(unread[0]?.position ?? 0) + 1}:{' '}
            {unread[0]?.error}
          </Callout>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-3 px-4 py-3">
        <Input
          ref={search}
          type="search"
          aria-label="Search files"
          placeholder="Part of a path, or *.conf"
          className="w-full sm:w-80"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => event.key === 'Escape' && setText('')}
        />
        <Switch checked={hidden} onChange={setHidden} label="Show what later layers hide" />
      </div>
      {total.files + total.directories === 0 && !hidden ? (
        <EmptyState icon={<FolderTree aria-hidden />} title="No files">
          This image has none: nothing was copied into it.
        </EmptyState>
      ) : (
        <>
          <FileHead />
          {wanted === '' ? (
            <FileTree
              {...at}
              image={image}
              hidden={hidden}
              expanded={expanded}
              setExpanded={setExpanded}
              active={active}
              setActive={setActive}
              onOpen={open}
              onType={() => search.current?.focus()}
            />
          ) : (
            <FileSearch
              {...at}
              image={image}
              hidden={hidden}
              query={wanted}
              onOpen={(file) => (file.kind === 'file' ? setOpened(file) : reveal(file.path))}
            />
          )}
        </>
      )}
      <FileDialog
        {...at}
        image={image}
        file={opened}
        onClose={() => setOpened(null)}
        onReveal={(path) => {
          setOpened(null)
          reveal(path)
        }}
      />
    </Card>
  )
}
