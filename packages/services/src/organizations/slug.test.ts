import { describe, expect, it } from 'vitest'
import { createHarness } from '../testing/harness'
import { freeOrganizationSlug } from './slug'

describe('the name of a new organization', () => {
  it('never becomes an address of the panel itself', async () => {
    const harness = await createHarness()
    try {
      for (const name of ['Login', 'API', 'Base', 'new organization', 'Setup'])
        expect(await freeOrganizationSlug(harness.db, name)).toMatch(/-2$/)
      expect(await freeOrganizationSlug(harness.db, 'Acme, Inc.')).toBe('acme-inc')
    } finally {
      await harness.close()
    }
  })
})
