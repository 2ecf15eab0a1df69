import type { Metadata } from 'next'
import { ImagePage } from '@/components/images/image-page'
import { RepositoryPage } from '@/components/images/repository-page'
import { parseImagePath } from '@/lib/routes'

interface Props {
  params: Promise<{ org: string; path: string[] }>
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name, reference } = parseImagePath((await params).path)
  return { title: reference ? `${name}:${reference.slice(0, 19)}` : name }
}

/** `guestbook` is the repository, `guestbook:main` and `guestbook@sha256:…` an image of it; `/-/<tab>` another page of either. */
export default async function Page({ params }: Props) {
  const { org, path } = await params
  const { name, reference, tab } = parseImagePath(path)
  return reference ? (
    <ImagePage org={org} repository={name} reference={reference} tab={tab} />
  ) : (
    <RepositoryPage org={org} repository={name} tab={tab} />
  )
}
