import { expect, it } from 'vitest'
import { goOf, isAtLeast } from './go.mjs'

it('says how to get Go when there is none, and does not go on without', async () => {
  await expect(goOf('1.24', { detail: () => {} }, '/nowhere')).rejects.toMatchObject({
    message: expect.stringContaining('There is no Go on this machine'),
    hint: expect.stringContaining('apt-get install golang-go'),
  })
})

it('knows which versions are enough', () => {
  for (const version of ['go1.24', 'go1.24.13', 'go1.30', 'go2.0']) expect(isAtLeast(version, '1.24'), version).toBe(true)
  for (const version of ['go1.19.8', 'go1.9', 'go1.23.12']) expect(isAtLeast(version, '1.24'), version).toBe(false)
})
