// Who may import whom (shared with nobody: this table is the rule) and what may be written only in one place.

/** Package → packages of this repository it may import. The order is the way of the design: core ← … ← apps. */
export const PACKAGES = {
  config: [],
  core: [],
  outbound: ['core'],
  secrets: ['core'],
  oci: ['core'],
  contracts: ['core'],
  dockerfile: ['core', 'oci', 'contracts'],
  context: ['core', 'contracts', 'dockerfile'],
  db: ['core'],
  jobs: ['core', 'contracts'],
  'agent-client': ['core', 'contracts'],
  ingress: ['core', 'contracts'],
  services: ['core', 'contracts', 'db', 'jobs', 'oci', 'dockerfile', 'agent-client', 'ingress', 'outbound', 'secrets'],
  api: ['core', 'contracts', 'services'],
  ui: ['core'],
  testing: ['core', 'db'],
}

/** App → packages it may import. No app imports another. */
export const APPS = {
  web: ['core', 'contracts', 'services', 'api', 'ui', 'dockerfile'],
  worker: ['core', 'contracts', 'context', 'db', 'services', 'jobs', 'oci', 'dockerfile', 'agent-client', 'ingress', 'outbound'],
  registry: ['core', 'oci', 'contracts', 'db', 'outbound', 'secrets'],
  cli: ['core', 'contracts', 'context', 'dockerfile', 'api', 'oci', 'outbound'],
}

/** Crate of the agent → crates it may depend on. */
export const CRATES = {
  sys: [],
  store: [],
  cgroups: ['sys'],
  snapshot: ['sys', 'store'],
  net: ['sys'],
  runtime: ['sys', 'cgroups'],
  oci: ['sys', 'cgroups', 'runtime'],
  build: ['sys', 'store', 'snapshot', 'transfer'],
  transfer: ['store', 'snapshot'],
  sbom: [],
  agent: ['sys', 'store', 'snapshot', 'cgroups', 'net', 'runtime', 'oci', 'build', 'transfer', 'sbom'],
}

const CODE = /^(apps|packages)\/.*\.(ts|tsx|mjs)$/
const outside =
  (...folders) =>
  (path) =>
    CODE.test(path) && !folders.some((folder) => path.startsWith(folder))

/**
 * What may stand only in one place. `why` is shown with the error.
 * @type {{ name: string, pattern: RegExp, applies: (path: string) => boolean, why: string, tests?: boolean }[]}
 */
export const BANS = [
  {
    name: 'string exec',
    pattern: /\b(exec|execSync)\s*\(\s*[`'"]|import\s*\{[^}]*\b(exec|execSync)\b[^}]*\}\s*from\s*'node:child_process'/,
    applies: (path) => /\.(ts|tsx|mjs|js)$/.test(path) && !path.startsWith('infra/check/'),
    why: 'A command line made of text lets repository content become commands. Use spawn or execFile with an argument list.',
    tests: true,
  },
  {
    name: 'shell: true',
    pattern: /\bshell:\s*(true|['"`])/,
    applies: (path) => /\.(ts|tsx|mjs|js)$/.test(path) && !path.startsWith('infra/check/'),
    why: 'No shell may stand between us and a program.',
    tests: true,
  },
  {
    name: 'process.env',
    // The two excepted are no settings: Next puts their values in when it builds.
    pattern: /\bprocess\.env\b(?!\.(NODE_ENV|NEXT_RUNTIME)\b)/,
    applies: (path) => CODE.test(path) && !/(^|\/)env\.ts$|next\.config\.|\/bin\/|packages\/testing\//.test(path),
    why: 'Only env.ts of an app reads the environment, so that a setting is checked once and found in one place.',
  },
  {
    name: 'zod as one object',
    pattern: /import\s*\{\s*z\b[^}]*\}\s*from\s*'zod'/,
    applies: (path) => CODE.test(path),
    why: "It takes all of zod into every bundle, and a third of the CLI's start. Write: import * as z from 'zod'.",
  },
  {
    name: 'Prisma outside packages/db',
    pattern: /from\s+'(@prisma\/[^']+|pg|\.\.?\/[^']*generated[^']*)'/,
    applies: outside('packages/db/', 'packages/testing/'),
    why: 'Only packages/db speaks with the database; others call its repositories.',
  },
  {
    name: 'BullMQ queue outside packages/jobs',
    pattern: /import\s+(type\s+)?\{[^}]*\b(Queue|QueueEvents|FlowProducer)\b[^}]*\}\s*from\s+'bullmq'/,
    applies: outside('packages/jobs/'),
    why: 'Only packages/jobs makes queues, so that there is one connection and one set of options per queue.',
  },
  {
    name: 'tRPC below packages/api',
    // Links of a client are made of its observables, which tRPC keeps there.
    pattern: /\bTRPCError\b|from\s+'@trpc\/server(?!\/observable')[^']*'/,
    applies: outside('packages/api/', 'apps/web/'),
    why: 'Services throw AppError; packages/api turns it into what tRPC sends.',
  },
  {
    name: 'Node modules in the browser',
    pattern: /from\s+'node:[^']+'/,
    applies: (path) => /^packages\/(core|ui|dockerfile|contracts)\/src\//.test(path) && CODE.test(path),
    why: 'This package also runs in the browser.',
  },
]

/** Lines a hand-written file may have. */
export const LINE_LIMIT = 800
