/** The fixtures of `POST /slipway/v1/builds`. The agent's tests parse the same files with its own types. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { buildEvent, buildRequest } from './build-api'
import { encodeTree, type TreeEntry } from './context-tree'

const fixtures = join(import.meta.dirname, '../../fixtures/build')
const read = (kind: string): [string, string][] =>
  readdirSync(join(fixtures, kind)).map((name) => [name, readFileSync(join(fixtures, kind, name), 'utf8')])

describe('build requests', () => {
  it.each(read('requests'))('%s is read and loses nothing', (_name, text) => {
    const written: unknown = JSON.parse(text)
    expect(buildRequest.parse(written)).toMatchObject(written as object)
  })

  it.each(read('refused'))('%s is refused', (_name, text) => {
    expect(buildRequest.safeParse(JSON.parse(text)).success).toBe(false)
  })
})

describe('build events', () => {
  it.each(read('events'))('%s is read and loses nothing', (_name, text) => {
    const lines = text.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(buildEvent.parse(JSON.parse(line))).toEqual(JSON.parse(line))
  })
})

describe('directories of uploaded contexts', () => {
  it('are written as the agent reads them', () => {
    const { entries, object } = JSON.parse(readFileSync(join(fixtures, '../contexts/tree.json'), 'utf8')) as {
      entries: TreeEntry[]
      object: string
    }
    expect(encodeTree(entries)).toBe(object)
    expect(encodeTree([...entries].reverse())).toBe(object)
  })
})
