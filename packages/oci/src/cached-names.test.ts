import { expect, it } from 'vitest'
import { cachedReference, formatReference, originalReference, parseReference } from '.'

const OWN = 'slipway.local'

it.each([
  ['nginx', 'slipway.local/docker.io/library/nginx:latest'],
  ['ghcr.io/team/app:1', 'slipway.local/ghcr.io/team/app:1'],
  ['registry.lan:5000/app:1', 'slipway.local/registry.lan_5000/app:1'],
])('%s is kept as %s, and is the same image', (theirs, ours) => {
  const parsed = parseReference(theirs)
  const cached = cachedReference(parsed, OWN)
  expect(cached && formatReference(cached)).toBe(ours)
  expect(originalReference(parseReference(ours), OWN)).toEqual(parsed)
})

it.each(['slipway.local/acme/api:1', 'slipway.local/base/busybox:1'])('%s is no copy', (name) => {
  const parsed = parseReference(name)
  expect(originalReference(parsed, OWN)).toEqual(parsed)
  expect(cachedReference(parsed, OWN)).toBeUndefined()
})
