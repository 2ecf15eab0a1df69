/** The file that people start: what it loads, and what it keeps beside dist/main.js. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'

const CLI = resolve(import.meta.dirname, '..')
let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'slipway-bin-'))
  execFileSync(process.execPath, [join(CLI, 'build.mjs'), join(home, 'dist')])
  cpSync(join(CLI, 'bin'), join(home, 'bin'), { recursive: true })
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const main = () => join(home, 'dist/main.js')
const caches = () => readdirSync(join(home, 'dist')).filter((name) => name.endsWith('.cache'))
const slipway = (...args: string[]) =>
  execFileSync(process.execPath, [join(home, 'bin/slipway.cjs'), ...args], {
    encoding: 'utf8',
    env: { HOME: home, PATH: process.env.PATH },
  })
const wordsOf = (name = '') => readFileSync(join(home, 'dist', name), 'latin1').split('\n')[0]

it('keeps what was compiled, and adds what other commands compile', () => {
  const version = slipway('--version')
  expect(version).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect(caches()).toHaveLength(1)
  expect(slipway('build', '--help')).toContain('--build-arg')
  expect(slipway('--version')).toBe(version)
  expect([caches().length, wordsOf(caches()[0])]).toEqual([1, '- build'])
})

it('believes nothing that is of another program, or broken', () => {
  const [before = ''] = caches()
  // As long as the one before, so that V8 itself would take the old code for it.
  const text = readFileSync(main(), 'utf8').replace(
    'Build, deploy and look after apps on a Slipway server.',
    'BUILD, deploy and look after apps on a Slipway server.',
  )
  writeFileSync(main(), text)
  utimesSync(main(), new Date(), new Date(Date.now() + 5000))
  expect(slipway('--help')).toContain('BUILD, deploy')
  const [now] = caches()
  expect([caches().length, now === before]).toEqual([1, false])
  writeFileSync(join(home, 'dist', now ?? ''), '- build\nnonsense')
  expect(slipway('--help')).toContain('BUILD, deploy')
  expect(wordsOf(now)).toBe('-')
})

it('has every command in the help of all', async () => {
  const { GROUPS } = await import('./program')
  const help = slipway('--help')
  for (const word of GROUPS.flatMap(({ words }) => words)) {
    expect(help).toMatch(new RegExp(`^  ${word}\\b`, 'm'))
    expect(slipway(word, '--help')).toContain(`Usage: slipway ${word}`)
  }
})
