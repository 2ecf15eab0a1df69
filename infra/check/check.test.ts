import { describe, expect, it } from 'vitest'
import { checkBans, checkLength } from './bans.mjs'
import { checkCrates, checkImports, checkManifests, importsOf } from './boundaries.mjs'
import { APPS, BANS, CRATES, PACKAGES } from './rules.mjs'

const rules = { packages: PACKAGES, apps: APPS }
const source = (path: string, text: string) => [{ path, text }]

describe('imports', () => {
  it('are found in every form', () => {
    const text = `import a from 'a'\nimport type { B } from 'b'\nimport * as c from 'c'\nimport 'd'\nexport { e } from 'e'\nexport * from 'f'\nconst g = await import('g')\nimport {\n  h,\n  i,\n} from 'h'`
    expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  })
  it.each([
    ['packages/core/src/a.ts', `import { x } from '@slipway/db'`, /core may import only nothing of ours/],
    ['packages/db/src/a.ts', `import { x } from '@slipway/services'`, /db may import only core/],
    ['packages/ui/src/a.tsx', `import { x } from '@slipway/services'`, /ui may import only core/],
    ['apps/web/src/a.ts', `import { x } from '../../worker/src/x'`, /leaves apps\/web/],
    ['apps/web/src/a.ts', `import { x } from '@slipway/core/src/errors'`, /public index/],
    ['packages/new/src/a.ts', ``, /has no line/],
  ])('%s: %s is refused', (path, text, message) => {
    expect(checkImports(source(path, text), rules).join('\n')).toMatch(message)
  })
  it.each([
    ['packages/services/src/a.ts', `import { x } from '@slipway/db'`],
    ['packages/services/src/a.test.ts', `import { x } from '@slipway/testing'`],
    ['packages/oci/src/deep/a.ts', `import { x } from '../b'`],
  ])('%s: %s is fine', (path, text) => {
    expect(checkImports(source(path, text), rules)).toEqual([])
  })
})

describe('manifests', () => {
  it('must allow and name what is imported', () => {
    const manifest = { path: 'packages/db/package.json', text: JSON.stringify({ dependencies: { '@slipway/services': '*' } }) }
    const file = { path: 'packages/db/src/a.ts', text: `import { x } from '@slipway/core'` }
    const problems = checkManifests([manifest, file], rules)
    expect(problems.join('\n')).toMatch(/depends on @slipway\/services/)
    expect(problems.join('\n')).toMatch(/imports @slipway\/core without naming it/)
  })
})

describe('crates', () => {
  it('keep their order, but for tests, and forbid unsafe code', () => {
    const manifest = (text: string) => ({ path: 'apps/agent/crates/store/Cargo.toml', text })
    const lib = { path: 'apps/agent/crates/store/src/lib.rs', text: '#![forbid(unsafe_code)]\n' }
    expect(checkCrates([manifest('[dependencies]\nslipway-runtime.workspace = true\n'), lib], CRATES)[0]).toMatch(
      /depends on slipway-runtime/,
    )
    expect(checkCrates([manifest('[dev-dependencies]\nslipway-runtime.workspace = true\n'), lib], CRATES)).toEqual([])
    expect(checkCrates([manifest(''), { ...lib, text: '' }], CRATES)[0]).toMatch(/forbid\(unsafe_code\)/)
  })
})

describe('bans', () => {
  const problems = (path: string, text: string) => checkBans(source(path, text), BANS).join('\n')
  it.each([
    ['apps/worker/src/a.ts', `import { exec } from 'node:child_process'`, /string exec/],
    ['infra/a.mjs', 'execSync("rm -rf /x")', /string exec/],
    ['apps/worker/src/a.test.ts', `spawn('x', { shell: true })`, /shell: true/],
    ['packages/services/src/a.ts', 'const x = process.env.X', /process\.env/],
    ['packages/services/src/a.ts', `import { PrismaClient } from '@prisma/client'`, /Prisma outside/],
    ['apps/worker/src/a.ts', `import { Queue } from 'bullmq'`, /BullMQ queue/],
    ['packages/services/src/a.ts', 'throw new TRPCError({})', /tRPC below/],
    ['packages/dockerfile/src/a.ts', `import { readFileSync } from 'node:fs'`, /browser/],
  ])('%s: %s', (path, text, message) => {
    expect(problems(path, text)).toMatch(message)
  })
  it.each([
    ['apps/worker/src/env.ts', 'process.env.X'],
    ['apps/worker/src/a.ts', `import { Worker } from 'bullmq'`],
    ['packages/services/src/a.ts', '// never throw a TRPCError here, and no process.env'],
    ['packages/oci/src/a.ts', 'const match = pattern.exec(text)'],
    ['packages/dockerfile/src/a.test.ts', `import { readFileSync } from 'node:fs'`],
  ])('%s: %s is fine', (path, text) => {
    expect(problems(path, text)).toBe('')
  })
  it('ends files at 800 lines', () => {
    expect(checkLength(source('a.ts', 'x\n'.repeat(900)), 800)[0]).toMatch(/a\.ts: 901 lines/)
    expect(checkLength(source('a.json', 'x\n'.repeat(900)), 800)).toEqual([])
  })
})
