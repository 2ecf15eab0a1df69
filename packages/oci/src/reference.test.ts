import { expect, it } from 'vitest'
import goldens from '../testdata/references.json'
import { familiarReference, formatReference, isRepositoryName, parseReference } from './reference'

it.each(goldens as [string, string | null, string][])('%s', (input, complete, familiarOrProblem) => {
  if (complete === null) {
    expect(() => parseReference(input)).toThrow(familiarOrProblem)
    return
  }
  const reference = parseReference(input)
  expect(formatReference(reference)).toBe(complete)
  expect(familiarReference(reference)).toBe(familiarOrProblem)
  expect(parseReference(complete)).toEqual(reference)
})

it('bounds what it reads', () => {
  expect(() => parseReference(`acme/${'a'.repeat(300)}`)).toThrow('longer than 255')
  expect(() => parseReference('a'.repeat(100_000))).toThrow('longer than 1,024')
  expect(() => parseReference(`acme:${'a'.repeat(129)}`)).toThrow('longer than 128')
})

it('takes no repository name that means something to a file system or URL', () => {
  for (const name of ['', '.', '..', 'a/../b', 'a/.', '/a', 'a/', 'a//b', 'a%2fb', 'a\0b', 'a b', 'A', 'a\n', 'a/b?c', 'ä']) {
    expect(isRepositoryName(name), name).toBe(false)
  }
  expect(isRepositoryName('acme/team/api_v2.x-1')).toBe(true)
})
