import type { Metadata } from 'next'
import { NewApp, type Source } from '@/components/new-app/new-app'

export const metadata: Metadata = { title: 'New app' }

interface Props {
  params: Promise<{ org: string }>
  searchParams: Promise<Record<string, string | string[] | undefined>>
}

export default async function NewAppPage({ params, searchParams }: Props) {
  const [{ org }, query] = await Promise.all([params, searchParams])
  const image = typeof query.image === 'string' ? query.image.slice(0, 400) : ''
  const source: Source = image || query.source === 'image' ? 'image' : query.source === 'example' ? 'example' : 'git'
  return <NewApp org={org} source={source} image={image} />
}
