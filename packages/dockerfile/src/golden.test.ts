/**
 * testdata/<case>/Dockerfile against what lies beside it: `plan.json` (plan and warnings), `error.txt` (as printed), and
 * `ast.json` where positions matter. `args.json`: build arguments, target, base images.
 * `UPDATE_GOLDENS=1 npx vitest run packages/dockerfile` rewrites them: read the diff.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildPlan, type ImageConfig } from '@slipway/contracts'
import { describe, expect, it } from 'vitest'
import {
  baseReferences,
  baseReferencesOf,
  type Dockerfile,
  DockerfileError,
  formatDockerfileError,
  type NamedContext,
  type Platform,
  parseDockerfile,
  planBuild,
  planPlatforms,
  type ScopeOptions,
} from './index'

const root = fileURLToPath(new URL('../testdata/', import.meta.url))
const update = process.env.UPDATE_GOLDENS === '1'

interface Args {
  buildArgs?: Record<string, string>
  target?: string
  platform?: Platform
  buildPlatform?: Platform
  /** Several: one plan for all of them. */
  platforms?: Platform[]
  contexts?: Record<string, NamedContext>
  /** Base images by reference; one that is not here is a plain image with a PATH. null: it does not resolve. */
  images?: Record<string, ImageConfig | null>
}

const read = (path: string) => readFileSync(path, 'utf8')

function compare(path: string, text: string): void {
  if (update) writeFileSync(path, text)
  expect(text).toBe(read(path))
}

function resolve(references: string[], images: Args['images'] = {}) {
  const out = new Map<string, { digest: string; config: ImageConfig }>()
  for (const reference of references) {
    const config = Object.hasOwn(images, reference) ? images[reference] : { Env: ['PATH=/usr/bin:/bin'] }
    if (config) out.set(reference, { digest: `sha256:${createHash('sha256').update(reference).digest('hex')}`, config })
  }
  return out
}

/** The tree without the lexer's internals. */
function dump(dockerfile: Dockerfile): string {
  const clean = (_: string, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const { line: _line, source: _source, ...rest } = value as Record<string, unknown>
    if ('column' in value && 'line' in value) return `${value.line}:${value.column}`
    return rest
  }
  const { directives, globalArgs, stages, warnings } = dockerfile
  return `${JSON.stringify({ directives, globalArgs, stages, warnings: warnings.map((w) => `${w.line} ${w.rule}`) }, clean, 2)}\n`
}

describe('testdata', () => {
  // Those in `detect` are of src/detect.
  const cases = readdirSync(root)
    .filter((name) => name !== 'detect')
    .sort()

  it('has many cases', () => {
    expect(cases.length).toBeGreaterThanOrEqual(90)
  })

  it.each(cases)('%s', (name) => {
    const at = (file: string) => `${root}${name}/${file}`
    const { contexts, ...args }: Args = existsSync(at('args.json')) ? JSON.parse(read(at('args.json'))) : {}
    const options = { ...args, contexts: new Map(Object.entries(contexts ?? {})) }
    let output: string
    try {
      const dockerfile = parseDockerfile(read(at('Dockerfile')))
      if (existsSync(at('ast.json'))) compare(at('ast.json'), dump(dockerfile))
      const { platforms } = args
      const bases = (scope: ScopeOptions) =>
        platforms ? baseReferencesOf(dockerfile, scope, platforms) : baseReferences(dockerfile, scope)
      const resolved = resolve(bases(options), args.images)
      for (const [name, image] of resolve(bases({ ...options, resolved }), args.images)) resolved.set(name, image)
      const planned = platforms
        ? planPlatforms(dockerfile, { ...options, resolved }, platforms)
        : planBuild(dockerfile, { ...options, resolved })
      const { plan, warnings, contexts, sourceDateEpoch } = planned
      expect(buildPlan.parse(plan)).toEqual(plan)
      output = `${JSON.stringify({ warnings, plan, ...(contexts.length > 0 && { contexts }), sourceDateEpoch }, null, 2)}\n`
    } catch (error) {
      if (!(error instanceof DockerfileError)) throw error
      if (update) rmSync(at('plan.json'), { force: true })
      return compare(at('error.txt'), `${error.code}\n${formatDockerfileError(error)}\n`)
    }
    if (update) rmSync(at('error.txt'), { force: true })
    compare(at('plan.json'), output)
  })
})
