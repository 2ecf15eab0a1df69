import type { Metadata } from 'next'
import { WhereUsed } from '@/components/images/where-used'

export const metadata: Metadata = { title: 'Where used' }

interface Props {
  params: Promise<{ org: string }>
  searchParams: Promise<Record<string, string | string[] | undefined>>
}

export default async function Page({ params, searchParams }: Props) {
  const { org } = await params
  const asked = await searchParams
  const text = (name: string) => (typeof asked[name] === 'string' ? asked[name] : '')
  const kind = text('kind')
  return (
    <WhereUsed
      key={`${kind} ${text('q')} ${text('version')}`}
      org={org}
      kind={kind === 'layer' || kind === 'package' ? kind : 'file'}
      query={text('q')}
      version={text('version')}
    />
  )
}
