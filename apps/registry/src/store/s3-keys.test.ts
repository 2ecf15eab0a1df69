import { expect, it } from 'vitest'
import { S3Keys } from './s3-keys'

it.each([
  ['what a mount of the bucket leaves', 'blobs/sha256/9f/.nfs000000000a1b2c3d'],
  ['a digest cut short', 'blobs/sha256/9f/9f0c'],
  ['too long for its algorithm', `blobs/sha256/9f/9f${'0'.repeat(126)}`],
  ['in the folder of another', `blobs/sha256/9f/${'0'.repeat(64)}`],
  ['of upper case', `blobs/sha256/AB/${'AB'.repeat(32)}`],
])('takes for no blob: %s', (_what, key) => {
  expect(new S3Keys('').parseBlob(key)).toBeUndefined()
})

it('finds the digest in the key of a blob', () => {
  const keys = new S3Keys('team/')
  for (const digest of [`sha256:${'9f'.repeat(32)}`, `sha512:${'9f'.repeat(64)}`]) expect(keys.parseBlob(keys.blob(digest))).toBe(digest)
})
