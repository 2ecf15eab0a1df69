import type { Metadata } from 'next'
import { NewOrganization } from '@/components/auth/new-organization'

export const metadata: Metadata = { title: 'New organization' }

export default function NewOrganizationPage() {
  return <NewOrganization />
}
