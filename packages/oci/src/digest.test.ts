import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, it } from 'vitest'
import { digestOf, isDigest, parseDigest, verifyDigest } from './digest'
import { digestBytes, StreamingDigest, VerifyStream } from './node'

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

it('hashes the same in the browser way and the Node way', async () => {
  expect(await digestOf('')).toBe(EMPTY)
  expect(digestBytes('')).toBe(EMPTY)
  expect(await digestOf('abc', 'sha512')).toBe(digestBytes('abc', 'sha512'))
  expect(await verifyDigest('', EMPTY)).toBe(true)
  expect(await verifyDigest('x', EMPTY)).toBe(false)
})

it('hashes streams, and can be asked in between', () => {
  const digest = new StreamingDigest()
  expect(digest.current()).toBe(EMPTY)
  digest.update(Buffer.from('a')).update(Buffer.from('bc'))
  expect(digest.current()).toBe(digestBytes('abc'))
  expect(digest.bytes).toBe(3)
})

it('refuses what is no digest, and says why', () => {
  expect(parseDigest(EMPTY)).toEqual({ algorithm: 'sha256', hex: EMPTY.slice(7) })
  for (const bad of [
    '',
    ':',
    'sha256',
    'sha256:',
    'sha256:../../etc',
    EMPTY.toUpperCase(),
    `${EMPTY}0`,
    `${EMPTY}\n`,
    `constructor:${'a'.repeat(64)}`,
  ]) {
    expect(isDigest(bad), bad).toBe(false)
    expect(() => parseDigest(bad)).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }))
  }
})

it('lets verified content through and fails other at the end', async () => {
  const through = async (expected: string, size?: number) => {
    const verify = new VerifyStream(expected, size)
    const [content] = await Promise.all([buffer(verify), pipeline(Readable.from([Buffer.from('ab'), Buffer.from('c')]), verify)])
    return content.toString()
  }
  expect(await through(digestBytes('abc'), 3)).toBe('abc')
  await expect(through(EMPTY)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' })
  await expect(through(digestBytes('abc'), 2)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
  await expect(through(digestBytes('abc'), 4)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
})
