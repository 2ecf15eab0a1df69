/** What a project of Node is made with, and so what is started or which files are served. */
import { type Evidence, isSafePath } from '../detection'
import { has, string, table, type Values } from '../manifest'
import type { Folder } from '../tree'

export interface Result {
  title: string
  evidence: Evidence[]
  /** What is served or copied, relative to the app's folder. */
  runs:
    | { kind: 'files'; folder: string }
    | { kind: 'program'; argv: string[]; needsManager: boolean; keepDev: boolean }
    /** `folder` is complete: it runs without node_modules. */
    | { kind: 'output'; folder: string; argv: string[] }
    | { kind: 'next-standalone' }
}

const SERVERS = ['fastify', 'express', 'hono', 'koa'] as const
const SERVER_TITLE = { fastify: 'Fastify', express: 'Express', hono: 'Hono', koa: 'Koa' } as const
/** Scripts that serve while one develops; none of them should face the internet. */
const DEVELOPMENT =
  /^(?:\S+=\S+\s+)*(?:npx\s+)?(?:vite(?!\s+preview)|next dev|nuxt dev|astro dev|nodemon|ts-node-dev|react-scripts start|ng serve|webpack serve|webpack-dev-server|parcel|gatsby develop|vue-cli-service serve|live-server)\b/

export const uses = (manifest: Values, name: string) => has(manifest, 'dependencies', name) || has(manifest, 'devDependencies', name)

export function frameworkOf(folder: Folder, manifest: Values, at: (file: string) => string): Result | string {
  const builds = has(manifest, 'scripts', 'build')
  const names = (name: string): Evidence => ({ file: at('package.json'), fact: `names ${name}` })
  const config = (name: string) => ['js', 'mjs', 'cjs', 'ts', 'mts'].map((end) => `${name}.config.${end}`).find((file) => folder.has(file))
  const configText = (name: string) => folder.text(config(name) ?? '') ?? ''
  const start = startOf(folder, manifest, at)
  const program = (title: string, evidence: Evidence[]): Result | string =>
    start === null
      ? `${title} was found, but ${at('package.json')} has no "start" script. Add one, or commit a Dockerfile.`
      : { title, evidence: [...evidence, start.evidence], runs: start.runs }

  if (uses(manifest, 'next')) {
    const file = config('next')
    if (/output\s*:\s*["'`]export["'`]/.test(configText('next')) && file)
      return {
        title: 'Next.js (static files)',
        evidence: [names('next'), { file: at(file), fact: 'asks for an export' }],
        runs: files('out'),
      }
    if (/output\s*:\s*["'`]standalone["'`]/.test(configText('next')) && file)
      return {
        title: 'Next.js',
        evidence: [names('next'), { file: at(file), fact: 'asks for standalone output' }],
        runs: { kind: 'next-standalone' },
      }
    if (start === null) return { title: 'Next.js', evidence: [names('next')], runs: run(['npx', 'next', 'start']) }
    return program('Next.js', [names('next')])
  }
  if (uses(manifest, 'nuxt') || uses(manifest, 'nuxt3'))
    return {
      title: 'Nuxt',
      evidence: [names('nuxt')],
      runs: { kind: 'output', folder: '.output', argv: ['node', '.output/server/index.mjs'] },
    }
  if (uses(manifest, '@sveltejs/kit')) {
    if (uses(manifest, '@sveltejs/adapter-node'))
      return {
        title: 'SvelteKit',
        evidence: [names('@sveltejs/kit'), names('@sveltejs/adapter-node')],
        runs: run(['node', 'build']),
      }
    if (uses(manifest, '@sveltejs/adapter-static'))
      return {
        title: 'SvelteKit (static files)',
        evidence: [names('@sveltejs/kit'), names('@sveltejs/adapter-static')],
        runs: files('build'),
      }
    return 'SvelteKit was found, but no adapter that gives something to run. Add @sveltejs/adapter-node (or adapter-static), or commit a Dockerfile.'
  }
  if (uses(manifest, 'astro')) {
    if (uses(manifest, '@astrojs/node'))
      return { title: 'Astro', evidence: [names('astro'), names('@astrojs/node')], runs: run(['node', './dist/server/entry.mjs']) }
    return { title: 'Astro (static files)', evidence: [names('astro')], runs: files('dist') }
  }
  if (uses(manifest, '@remix-run/serve') || uses(manifest, '@remix-run/node')) return program('Remix', [names('@remix-run')])
  if (uses(manifest, '@react-router/serve')) return program('React Router', [names('@react-router/serve')])
  if (uses(manifest, '@nestjs/core')) return program('NestJS', [names('@nestjs/core')])
  const server = SERVERS.find((name) => uses(manifest, name))
  if (server && start) return program(SERVER_TITLE[server], [names(server)])

  if (start === null) {
    if (uses(manifest, 'react-scripts') && builds)
      return { title: 'Create React App (static files)', evidence: [names('react-scripts')], runs: files('build') }
    if (uses(manifest, 'vite') && builds) {
      const given = /outDir\s*:\s*["'`]([^"'`]+)["'`]/.exec(configText('vite').slice(0, 20_000))?.[1]
      const folderOf = given && isSafePath(given) ? given : 'dist'
      return {
        title: 'Vite (static files)',
        evidence: [names('vite'), { file: at('package.json'), fact: 'has a "build" script' }],
        runs: files(folderOf),
      }
    }
    if (uses(manifest, 'gatsby') && builds) return { title: 'Gatsby (static files)', evidence: [names('gatsby')], runs: files('public') }
    if (uses(manifest, '@11ty/eleventy') && builds)
      return { title: 'Eleventy (static files)', evidence: [names('@11ty/eleventy')], runs: files('_site') }
    return `${at('package.json')} has no "start" script, and there is no server.js or index.js. Add a "start" script, or commit a Dockerfile.`
  }
  return { title: server ? SERVER_TITLE[server] : 'server', evidence: [start.evidence], runs: start.runs }
}

const files = (folder: string): Result['runs'] => ({ kind: 'files', folder })
const run = (argv: string[]): Result['runs'] => ({ kind: 'program', argv, needsManager: false, keepDev: false })

/** node itself where that is all the script does: it then gets the signals that stop a container. */
function startOf(
  folder: Folder,
  manifest: Values,
  at: (file: string) => string,
): { evidence: Evidence; runs: Extract<Result['runs'], { kind: 'program' }> } | null {
  const name = ['start:prod', 'start:production', 'start'].find((script) => has(manifest, 'scripts', script))
  if (name) {
    const script = (string(manifest, 'scripts', name) ?? '').slice(0, 1000)
    if (DEVELOPMENT.test(script)) return null
    const file = /^(?:NODE_ENV=production )?node (\S+)$/.exec(script)?.[1]
    const direct = file !== undefined && isSafePath(file) && !file.startsWith('@')
    const words = new Set(script.split(/[\s&|;]+/))
    // What a script calls must still be there: a program of a development dependency, or the package manager itself.
    const keepDev = Object.keys(table(manifest, 'devDependencies')).some((dependency) =>
      words.has(dependency.replace(/^@[^/]+\/(cli|serve|node)$/, '$1')),
    )
    return {
      evidence: { file: at('package.json'), fact: `has a "${name}" script` },
      runs: {
        kind: 'program',
        argv: direct ? ['node', file] : ['npm', 'run', name],
        needsManager: ['yarn', 'pnpm', 'bun', 'bunx'].some((tool) => words.has(tool)),
        keepDev: keepDev || words.has('nest') || words.has('ts-node') || words.has('tsx'),
      },
    }
  }
  const file = folder.first(['server.js', 'server.mjs', 'index.js', 'index.mjs'])
  return file
    ? {
        evidence: { file: at(file), fact: 'is there to be started' },
        runs: { kind: 'program', argv: ['node', file], needsManager: false, keepDev: false },
      }
    : null
}
