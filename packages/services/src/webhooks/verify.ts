/** Which Git server sent a request, and whether it knows the secret. Compares digests in constant time. */
import { createHmac } from 'node:crypto'
import { sameText } from '../auth/setup'

export type Provider = 'github' | 'gitlab' | 'gitea'

export interface Sender {
  provider: Provider
  event: string
  /** The same for every repetition of one delivery; null when the server sends none. */
  deliveryId: string | null
}

/** Gitea and Forgejo send GitHub's headers too, so they are asked first. */
export function senderOf(headers: Headers): Sender | null {
  const first = (...names: string[]) => names.map((name) => headers.get(name)).find((value) => value) ?? null
  const gitea = first('x-forgejo-event', 'x-gitea-event')
  if (gitea) return { provider: 'gitea', event: gitea, deliveryId: first('x-forgejo-delivery', 'x-gitea-delivery') }
  const gitlab = first('x-gitlab-event')
  if (gitlab) return { provider: 'gitlab', event: gitlab, deliveryId: first('idempotency-key', 'x-gitlab-event-uuid') }
  const github = first('x-github-event')
  if (github) return { provider: 'github', event: github, deliveryId: first('x-github-delivery') }
  return null
}

export type Verdict = { ok: true } | { ok: false; reason: string }

const MISSING: Record<Provider, string> = {
  github: 'The X-Hub-Signature-256 header is missing. Set the secret in the webhook’s settings.',
  gitlab: 'The X-Gitlab-Token header is missing. Set the secret token in the webhook’s settings.',
  gitea: 'The X-Gitea-Signature header is missing. Set the secret in the webhook’s settings.',
}

/** `body` are the raw bytes as they came: a parsed and printed JSON has another signature. */
export function verifySignature({ provider }: Sender, headers: Headers, body: Uint8Array, secret: string): Verdict {
  const given = signatureOf(provider, headers)
  if (!given) return { ok: false, reason: MISSING[provider] }
  const expected = provider === 'gitlab' ? secret : createHmac('sha256', secret).update(body).digest('hex')
  return sameText(given, expected)
    ? { ok: true }
    : { ok: false, reason: 'The signature does not match. Copy the secret again from the app’s webhook page.' }
}

function signatureOf(provider: Provider, headers: Headers): string | null {
  if (provider === 'gitlab') return headers.get('x-gitlab-token')
  const hub = /^sha256=([0-9a-f]{64})$/i.exec(headers.get('x-hub-signature-256') ?? '')?.[1]?.toLowerCase() ?? null
  if (provider === 'github') return hub
  return headers.get('x-forgejo-signature') ?? headers.get('x-gitea-signature') ?? hub
}
