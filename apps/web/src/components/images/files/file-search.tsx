'use client'
import type { views } from '@slipway/contracts'
import { EmptyState } from '@slipway/ui'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { SearchX } from 'lucide-react'
import { Load } from '@/components/load'
import { useTRPC } from '@/lib/trpc'
import { FileCells, ROW } from './file-row'

/** What is found, each with its whole path. */
export function FileSearch({
  org,
  repository,
  reference,
  image,
  hidden,
  query,
  onOpen,
}: {
  org: string
  repository: string
  reference: string
  image: views.ImageView
  hidden: boolean
  query: string
  onOpen: (file: views.FileView) => void
}) {
  const trpc = useTRPC()
  const found = useQuery(
    trpc.files.search.queryOptions({ org, repository, reference, query, hidden }, { placeholderData: keepPreviousData, staleTime: 60_000 }),
  )
  return (
    <Load query={found} what="what was found">
      {({ items, total }) =>
        items.length === 0 ? (
          <EmptyState icon={<SearchX aria-hidden />} title="No file matches">
            {hidden ? 'Try a shorter part of its path.' : 'Try a shorter part of its path, or show what later layers hide.'}
          </EmptyState>
        ) : (
          <>
            <ul aria-label="Found files" className="max-h-[600px] overflow-auto">
              {items.map((file) => (
                <li key={`${file.path} ${file.layer} ${file.hiddenBy}`}>
                  <button
                    type="button"
                    className="block w-full text-left hover:bg-hover"
                    style={{ height: ROW }}
                    onClick={() => onOpen(file)}
                  >
                    <FileCells file={file} image={image} name={`/${file.path}`} />
                  </button>
                </li>
              ))}
            </ul>
            <footer role="status" className="border-line border-t bg-sunken px-4 py-2 text-ink-2 text-sm">
              {total > items.length
                ? `The first ${items.length} of ${total.toLocaleString('en')}. Type more of the path to see the others.`
                : `${total} found`}
            </footer>
          </>
        )
      }
    </Load>
  )
}
