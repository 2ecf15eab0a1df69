import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NextConfig } from 'next'

const repositoryRoot = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..')

/** The content security policy carries a nonce per request, so it is set in src/proxy.ts; these never change. */
const securityHeaders = [
  { key: 'X-Content-Type-Options', value: 'nosniff' },
  { key: 'X-Frame-Options', value: 'DENY' },
  { key: 'Referrer-Policy', value: 'strict-origin-when-cross-origin' },
  { key: 'Permissions-Policy', value: 'camera=(), microphone=(), geolocation=(), payment=(), usb=()' },
  { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
]

const config: NextConfig = {
  output: 'standalone',
  outputFileTracingRoot: repositoryRoot,
  turbopack: { root: repositoryRoot },
  poweredByHeader: false,
  reactStrictMode: true,
  // `npm run check` checks the types of the whole repository with one compiler run.
  typescript: { ignoreBuildErrors: true },
  transpilePackages: [
    '@slipway/agent-client',
    '@slipway/api',
    '@slipway/contracts',
    '@slipway/core',
    '@slipway/db',
    '@slipway/dockerfile',
    '@slipway/ingress',
    '@slipway/jobs',
    '@slipway/oci',
    '@slipway/services',
    '@slipway/ui',
  ],
  // Native bindings, worker threads and dynamic requires: left to Node instead of being bundled.
  serverExternalPackages: ['@prisma/adapter-pg', '@prisma/client', 'better-auth', 'bullmq', 'dockerode', 'ioredis', 'pg', 'pino', 'ssh2'],
  experimental: { optimizePackageImports: ['lucide-react', '@slipway/ui'] },
  devIndicators: false,
  headers: async () => [{ source: '/:path*', headers: securityHeaders }],
}

export default config
