import { header, IGNORE, SAFE_FILE, type Tree, type Verdict } from './parts'
import { SERVE_COMMAND } from './static'

const OTHER_MANAGERS = ['pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb']
const BASE = 'slipway.local/base/node:20'
/** In this order: a project of next also depends on react, one of vite often serves itself. */
const FRAMEWORKS = ['next', 'nuxt', 'fastify', 'express', 'hono', 'koa'] as const

export function node({ names, texts }: Tree): Verdict {
  const text = texts.get('package.json')
  if (text === undefined) return null
  const manifest = parse(text)
  if (manifest === null) return 'package.json is no JSON object. Correct it, or commit a Dockerfile.'
  const other = OTHER_MANAGERS.find((name) => names.has(name))
  if (other) return `Found ${other}; a Dockerfile can only be made for npm so far. Commit a Dockerfile.`
  if (Object.hasOwn(manifest, 'workspaces')) return 'package.json has workspaces; a Dockerfile cannot be made for those so far. Commit one.'

  const scripts = record(manifest, 'scripts')
  const uses = (name: string) => ['dependencies', 'devDependencies'].some((field) => Object.hasOwn(record(manifest, field), name))
  const lock = names.has('package-lock.json')
  const builds = Object.hasOwn(scripts, 'build')
  const start = startCommand(scripts, names)
  const warnings = lock ? [] : ['There is no package-lock.json: two builds may install different versions. Commit one.']
  const reasons = ['found package.json', lock ? 'found package-lock.json' : 'no lock file']
  const install = [
    `FROM ${BASE} AS build`,
    'WORKDIR /app',
    '# The manifests first: dependencies are installed again only when these change.',
    `COPY package.json ${lock ? 'package-lock.json ' : ''}./`,
    `RUN npm ${lock ? 'ci' : 'install'}`,
    'COPY . .',
  ]
  const ignore = `${IGNORE}\nnode_modules\n`

  if (start === null) {
    if (!(uses('vite') && builds))
      return 'package.json has no "start" script, and there is no server.js or index.js. Add a "start" script, or commit a Dockerfile.'
    const framework = 'Vite (static files)'
    return {
      framework,
      reasons: [...reasons, 'package.json names vite and has a "build" script but none to start'],
      port: 3000,
      ignore,
      warnings: [...warnings, 'Paths that only the browser knows are answered with 404: the file server has no fallback to index.html.'],
      dockerfile: [
        header(framework),
        '# Stage 1: what is only needed to build.',
        ...install,
        'RUN npm run build',
        '',
        '# Stage 2: the files, and a small server.',
        'FROM slipway.local/base/busybox',
        'ENV PORT=3000',
        'COPY --from=build /app/dist /srv',
        'USER 1000',
        'EXPOSE 3000',
        ...SERVE_COMMAND,
        '',
      ].join('\n'),
    }
  }

  const framework = FRAMEWORKS.find(uses)
  if (framework) reasons.push(`package.json names ${framework}`)
  reasons.push(start.reason)
  const title = framework === 'next' ? 'Next.js' : framework ? `Node.js (${framework})` : 'Node.js'
  return {
    framework: title,
    reasons,
    port: 3000,
    ignore,
    warnings,
    dockerfile: [
      header(title),
      '# Stage 1: what is only needed to build.',
      ...install,
      ...(builds ? ['RUN npm run build'] : []),
      '# What only the build needed does not go into the image that runs.',
      'RUN npm prune --omit=dev',
      '',
      '# Stage 2: what runs.',
      `FROM ${BASE}`,
      'ENV NODE_ENV=production PORT=3000 HOSTNAME=0.0.0.0',
      'WORKDIR /app',
      'COPY --from=build --chown=1000:1000 /app /app',
      'USER 1000',
      'EXPOSE 3000',
      `CMD ${JSON.stringify(start.argv)}`,
      '',
    ].join('\n'),
  }
}

/** node itself where that is all the script does: it then gets the signals that stop a container. */
function startCommand(scripts: Record<string, unknown>, names: ReadonlySet<string>): { argv: string[]; reason: string } | null {
  if (Object.hasOwn(scripts, 'start')) {
    const file = typeof scripts.start === 'string' ? /^node (\S+)$/.exec(scripts.start)?.[1] : undefined
    const argv = file !== undefined && file.length <= 200 && SAFE_FILE.test(file) ? ['node', file] : ['npm', 'run', 'start']
    return { argv, reason: 'package.json has a "start" script' }
  }
  const file = ['server.js', 'index.js'].find((name) => names.has(name))
  return file ? { argv: ['node', file], reason: `found ${file}` } : null
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : null
  } catch {
    // Not JSON, or nested deeper than the parser goes.
    return null
  }
}

const record = (value: Record<string, unknown>, field: string): Record<string, unknown> => {
  const inner = Object.hasOwn(value, field) ? value[field] : undefined
  return isRecord(inner) ? inner : {}
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
