/** Runs before every page: a content security policy with a fresh nonce, and the way to the sign-in for those without a session. */
import { type NextRequest, NextResponse } from 'next/server'

const PUBLIC_PAGES = new Set(['/login', '/setup'])
/** The page of a share link: its token is all that is asked for. */
const SHARED = /^\/s\/[^/]+$/

export function proxy(request: NextRequest) {
  const { pathname, search } = request.nextUrl
  // Only whether a session cookie is there; whether it is valid is decided by the API on every call.
  const hasSession = request.cookies.getAll().some((c) => c.name.endsWith('session_token'))
  if (!hasSession && !PUBLIC_PAGES.has(pathname) && !SHARED.test(pathname) && !pathname.startsWith('/-/invite/')) {
    const login = new URL('/login', request.nextUrl)
    if (pathname !== '/') login.searchParams.set('next', pathname + search)
    return NextResponse.redirect(login)
  }

  const nonce = btoa(crypto.randomUUID())
  const policy = contentSecurityPolicy(nonce)
  const headers = new Headers(request.headers)
  headers.set('x-nonce', nonce)
  headers.set('content-security-policy', policy)
  const response = NextResponse.next({ request: { headers } })
  response.headers.set('content-security-policy', policy)
  return response
}

function contentSecurityPolicy(nonce: string): string {
  // React evaluates strings in development only.
  // biome-ignore lint/style/noProcessEnv: a constant, put in by the bundler
  const evaluate = process.env.NODE_ENV === 'development' ? " 'unsafe-eval'" : ''
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${evaluate}`,
    // Positions in graphs are style attributes, which a nonce cannot cover.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}

export const config = {
  matcher: [{ source: '/((?!api/|_next/|icon|favicon).*)', missing: [{ type: 'header', key: 'next-router-prefetch' }] }],
}
