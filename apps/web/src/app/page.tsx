import { Home } from '@/components/auth/home'

export default function HomePage() {
  return <Home />
}
