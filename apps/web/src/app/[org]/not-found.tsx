import { NotFound } from '@/components/not-found'

export default function OrganizationNotFound() {
  return <NotFound />
}
