/** Which package manager a project of Node is installed with, and how. */
import { isSafePath } from '../detection'
import { string, type Values } from '../manifest'
import type { Folder } from '../tree'

export interface Manager {
  name: 'npm' | 'pnpm' | 'yarn' | 'bun'
  /** With its version, where that is known. */
  title: string
  /** The lock file, and what says that it is this manager. */
  evidence: { file: string; fact: string }
  locked: boolean
  /** Brings the manager into the base image, which has npm. */
  setup: string[]
  /** Files and folders at the root that the installation reads, besides the manifests. */
  files: string[]
  env: Record<string, string>
  install: string
  cache: string
  /** Removes what only the build needed; null: this manager cannot, or not safely. */
  prune: string | null
}

const VERSIONED = /^(npm|pnpm|yarn|bun)@(\d{1,3}\.\d{1,4}\.\d{1,4}(?:-[0-9A-Za-z.-]{1,40})?)(?:\+[0-9A-Za-z.]{1,200})?$/

export function managerOf(root: Folder, manifest: Values): Manager {
  const [, asked, version] = VERSIONED.exec(string(manifest, 'packageManager') ?? '') ?? []
  const npmrc = root.has('.npmrc') ? ['.npmrc'] : []
  const lock = root.first(['pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'bun.lockb', 'package-lock.json', 'npm-shrinkwrap.json'])
  const name =
    lock === undefined
      ? ((asked as Manager['name'] | undefined) ?? 'npm')
      : lock.startsWith('pnpm')
        ? 'pnpm'
        : lock.startsWith('yarn')
          ? 'yarn'
          : lock.startsWith('bun')
            ? 'bun'
            : 'npm'
  const given = name === asked ? version : undefined
  const evidence = lock
    ? { file: lock, fact: 'locks the versions' }
    : { file: 'package.json', fact: `names no lock file’s manager but ${name}` }
  if (!lock) evidence.fact = asked ? `asks for ${name}` : 'is alone: there is no lock file'
  const common = { evidence, locked: lock !== undefined }

  if (name === 'pnpm') {
    const use = given ?? pnpmOf(root.text('pnpm-lock.yaml'))
    const extra = ['pnpm-workspace.yaml', '.pnpmfile.cjs'].filter((file) => root.has(file))
    return {
      ...common,
      name,
      title: `pnpm ${use.split('.')[0]}`,
      setup: [`npm install --global pnpm@${use}`],
      files: [...(lock ? [lock] : []), ...extra, ...npmrc, ...(root.hasFolder('patches') ? ['patches'] : [])],
      env: { CI: 'true' },
      install: `pnpm install ${lock ? '--frozen-lockfile ' : ''}--store-dir /pnpm/store`,
      cache: '/pnpm/store',
      prune: 'pnpm prune --prod --ignore-scripts',
    }
  }
  if (name === 'bun') {
    return {
      ...common,
      name,
      title: 'Bun',
      setup: [`npm install --global bun@${given ?? '1'}`],
      files: [...(lock ? [lock] : []), ...['bunfig.toml'].filter((file) => root.has(file)), ...npmrc],
      env: {},
      install: `bun install${lock ? ' --frozen-lockfile' : ''}`,
      cache: '/root/.bun/install/cache',
      prune: null,
    }
  }
  if (name === 'yarn') return { ...common, name, ...yarnOf(root, lock, given), files: [...yarnFiles(root, lock), ...npmrc] }
  return {
    ...common,
    name,
    title: 'npm',
    setup: [],
    files: [...(lock ? [lock] : []), ...npmrc, ...(root.hasFolder('patches') ? ['patches'] : [])],
    env: {},
    install: lock ? 'npm ci' : 'npm install',
    cache: '/root/.npm',
    prune: 'npm prune --omit=dev',
  }
}

/** By the format of its lock file. */
function pnpmOf(lock: string | undefined): string {
  const format = Number(/^lockfileVersion: '?(\d{1,2})/m.exec(lock ?? '')?.[1] ?? 9)
  return format >= 9 ? '9' : format >= 6 ? '8' : '7'
}

const yarnFiles = (root: Folder, lock: string | undefined) => [
  ...(lock ? [lock] : []),
  ...['.yarnrc.yml', '.yarnrc'].filter((file) => root.has(file)),
  ...['.yarn/releases', '.yarn/plugins', '.yarn/patches', 'patches'].filter((folder) => root.hasFolder(folder)),
]

function yarnOf(
  root: Folder,
  lock: string | undefined,
  given: string | undefined,
): Pick<Manager, 'title' | 'setup' | 'env' | 'install' | 'cache' | 'prune'> {
  const berry =
    root.text('yarn.lock')?.includes('__metadata:') || root.has('.yarnrc.yml') || (given !== undefined && !given.startsWith('1.'))
  if (!berry)
    return {
      title: 'Yarn 1',
      setup: [`npm install --global yarn@${given ?? '1.22.22'}`],
      env: {},
      install: `yarn install${lock ? ' --frozen-lockfile' : ''}`,
      cache: '/usr/local/share/.cache/yarn',
      prune: 'yarn install --production --frozen-lockfile --ignore-scripts --prefer-offline',
    }
  // A release that the repository carries is started by Yarn 1 itself, as on a laptop.
  const carried = /^yarnPath:\s*["']?([^\s"']+)/m.exec(root.text('.yarnrc.yml') ?? '')?.[1]
  const has = carried !== undefined && isSafePath(carried) && root.has(carried.replace(/^\.\//, ''))
  const version = given ?? '4.9.1'
  return {
    title: has && !given ? 'Yarn (berry)' : `Yarn ${version.split('.')[0]}`,
    setup: [has ? 'npm install --global yarn@1.22.22' : `npm install --global @yarnpkg/cli-dist@${version}`],
    // Programs of the project are then found as with every other manager.
    env: { YARN_NODE_LINKER: 'node-modules', YARN_ENABLE_GLOBAL_CACHE: 'true' },
    install: `yarn install${lock ? ' --immutable' : ''}`,
    cache: '/root/.yarn/berry/cache',
    prune: Number(version.split('.')[0]) >= 4 ? 'yarn workspaces focus --all --production' : null,
  }
}
