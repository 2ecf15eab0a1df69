import { expect, it } from 'vitest'
import { emptyRow, parseDotEnv, problemsOf, rowsOf, toInput } from './rows'

it('reads a .env file and nothing else', () => {
  expect(parseDotEnv('# db\nexport A=1\nB="two words"\nC=\'x # y\'\nD=v # note\n')).toEqual([
    { key: 'A', value: '1' },
    { key: 'B', value: 'two words' },
    { key: 'C', value: 'x # y' },
    { key: 'D', value: 'v' },
  ])
  expect(parseDotEnv('just a value')).toBeNull()
  expect(parseDotEnv('')).toBeNull()
})
it('keeps a stored secret that was not typed anew', () => {
  const [secret, plain] = rowsOf([
    { scope: 'runtime', key: 'TOKEN', value: null, secret: true, updatedAt: new Date(0) },
    { scope: 'runtime', key: 'MODE', value: '', secret: false, updatedAt: new Date(0) },
  ])
  if (!secret || !plain) throw new Error('two rows')
  expect(toInput([secret, plain, emptyRow()])).toEqual([
    { scope: 'runtime', key: 'TOKEN', secret: true },
    { scope: 'runtime', key: 'MODE', secret: false, value: '' },
  ])
})
it('finds names that are wrong or there twice', () => {
  const a = { ...emptyRow(), key: 'A', value: '1' }
  const again = { ...emptyRow(), key: 'A' }
  const build = { ...emptyRow('build'), key: 'A' }
  const bad = { ...emptyRow(), key: '1x' }
  expect([...problemsOf([a, again, build, bad]).keys()]).toEqual([again.id, bad.id])
})
