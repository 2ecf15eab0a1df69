import { expect, it } from 'vitest'
import { isExactName, nameAtSource, replicatedName, replicatesRepository, replicatesTag } from './replication'

const rule = { repositories: ['team/*', 'api'], tags: ['v*', 'main'], target: 'mirror/acme' }

it('chooses by the patterns of either list', () => {
  expect(['team/web', 'api', 'apis', 'other'].filter((name) => replicatesRepository(rule, name))).toEqual(['team/web', 'api'])
  expect(['v1', 'main', 'dev'].filter((tag) => replicatesTag(rule, tag))).toEqual(['v1', 'main'])
  expect(replicatesTag({ ...rule, tags: [] }, 'dev')).toBe(true)
  expect(['api', 'team/*', 'ap?'].map(isExactName)).toEqual([true, false, false])
})

it('finds the name at the source of what came under another one', () => {
  expect(replicatedName(rule, 'team/web')).toBe('mirror/acme/team/web')
  expect(replicatedName({ target: '' }, 'api')).toBe('api')
  expect(nameAtSource(rule, 'mirror/acme/team/web')).toBe('team/web')
  expect(nameAtSource(rule, 'mirror/acme/other')).toBeUndefined()
  expect(nameAtSource(rule, 'team/web')).toBeUndefined()
  expect(nameAtSource({ ...rule, target: '' }, 'api')).toBe('api')
})
