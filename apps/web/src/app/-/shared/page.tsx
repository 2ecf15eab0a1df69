import type { Metadata } from 'next'
import { SharedPage } from '@/components/access/shared-page'

export const metadata: Metadata = { title: 'Shared with you' }

export default function Page() {
  return <SharedPage />
}
