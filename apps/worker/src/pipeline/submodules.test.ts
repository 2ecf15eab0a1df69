import { expect, it } from 'vitest'
import { addressOf } from './submodules'

it.each([
  ['https://git.example/org/app.git', '../lib.git', 'https://git.example/org/lib.git'],
  ['https://git.example/org/app.git/', '../../other/lib', 'https://git.example/other/lib'],
  ['https://git.example/org/app', './lib', 'https://git.example/org/app/lib'],
  ['git@git.example:org/app.git', '../lib.git', 'git@git.example:org/lib.git'],
  ['ssh://git@git.example:2222/org/app.git', '../lib.git', 'ssh://git@git.example:2222/org/lib.git'],
  ['https://git.example/org/app.git', 'https://other.example/lib.git', 'https://other.example/lib.git'],
])('of %s, %s is %s', (repository, address, meant) => {
  expect(addressOf(address, repository)).toBe(meant)
})
