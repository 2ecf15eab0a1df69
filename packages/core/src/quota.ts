import { formatBytes } from './format'

/** What a limit of an organization said no to. Bytes are those of its unique blobs. */
export interface QuotaRefusal {
  what: 'bytes' | 'repositories'
  used: number
  limit: number
  wanted: number
}

/** For the person at the client: what is used, what the limit is, what to do. */
export function quotaSentence({ what, used, limit, wanted }: QuotaRefusal, organization: string): string {
  if (what === 'repositories')
    return `${organization} has ${used} of ${limit} repositories and gets no more. Push to one of them, delete one, or ask an operator of this installation to raise the limit.`
  const more = wanted > 0 ? `, and this push needs ${formatBytes(wanted)} more` : ''
  return `${organization} uses ${formatBytes(used)} of ${formatBytes(limit)} in this registry${more}. Delete images, or ask an operator of this installation to raise the limit.`
}
