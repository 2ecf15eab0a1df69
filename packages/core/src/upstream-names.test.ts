import { expect, it } from 'vitest'
import { isUpstreamHost, SLUG_PATTERN, upstreamHost, upstreamNamespace } from '.'

it.each(['docker.io', 'registry.lan:5000', 'localhost:5000', '127.0.0.1:5001', 'my-registry.example'])(
  '%s has a name among ours',
  (host) => {
    expect(isUpstreamHost(host)).toBe(true)
    expect(SLUG_PATTERN.test(upstreamNamespace(host))).toBe(false)
    expect(upstreamHost(upstreamNamespace(host))).toBe(host)
  },
)

it.each(['acme', 'localhost', 'a..b', '.io', 'docker.io/x', 'Docker.io', '[::1]:5000', 'a:b', 'a.b:0', 'a_b', 'x.y_1_2'])(
  '%s has none',
  (text) => {
    expect(isUpstreamHost(text)).toBe(false)
  },
)

it('takes no slug of an organization for an upstream', () => {
  for (const slug of ['acme', 'base', 'a-b', 'a1']) expect(upstreamHost(slug)).toBeUndefined()
})
