/** What detection sees of a repository: names of files, and the texts of its manifests. All of it is hostile. */

/** Entries of a tree, folders' files together; what is beyond is not looked at. */
export const TREE_FILES = 20_000
/** Folders below the root that are looked into: `apps/web/src/app/main.py` is the deepest name that tells something. */
export const TREE_DEPTH = 5
/** Bytes of one manifest that are read whole. */
export const MANIFEST_LIMIT = 1024 * 1024
/** Manifests of one tree that are read. */
export const MANIFEST_COUNT = 400

/** Folders of what others wrote or a build made. */
export const SKIPPED_FOLDERS: ReadonlySet<string> = new Set([
  '.git',
  '.hg',
  '.idea',
  '.next',
  '.nuxt',
  '.output',
  '.svelte-kit',
  '.venv',
  '__pycache__',
  'bower_components',
  'dist',
  'node_modules',
  'target',
  'vendor',
  'venv',
])

const WHOLE: ReadonlySet<string> = new Set([
  '.node-version',
  '.nvmrc',
  '.python-version',
  '.ruby-version',
  '.sdkmanrc',
  '.yarnrc.yml',
  'Cargo.toml',
  'Gemfile',
  'Pipfile',
  'Procfile',
  'app.py',
  'application.py',
  'asgi.py',
  'build.gradle',
  'build.gradle.kts',
  'composer.json',
  'config.ru',
  'go.mod',
  'main.go',
  'main.py',
  'manage.py',
  'package.json',
  'pnpm-workspace.yaml',
  'pom.xml',
  'pyproject.toml',
  'requirements.txt',
  'runtime.txt',
  'rust-toolchain',
  'rust-toolchain.toml',
  'server.py',
  'settings.py',
  'wsgi.py',
  '__init__.py',
])
const CONFIGS = /^(?:next|nuxt|astro|svelte|vite)\.config\.(?:js|mjs|cjs|ts|mts)$/
/** Long files of which the first lines tell enough. */
const HEADS: ReadonlySet<string> = new Set(['yarn.lock', 'pnpm-lock.yaml', 'Cargo.lock', 'go.sum'])
const GEM_LOCK = 'Gemfile.lock'

/** Whether the text of a file of this name is wanted: all of it, its first 4 KiB, or not at all. */
export function wanted(name: string): 'whole' | 'head' | null {
  if (WHOLE.has(name) || CONFIGS.test(name) || name === GEM_LOCK) return 'whole'
  return HEADS.has(name) ? 'head' : null
}
export const HEAD_LIMIT = 4096

export interface Tree {
  /** Regular files, relative, `/` between; at most `TREE_FILES`, `TREE_DEPTH` deep. */
  files: ReadonlySet<string>
  /** Of the files that are `wanted`. */
  texts: ReadonlyMap<string, string>
}

/** One folder of a tree: everything is named relative to it. */
export class Folder {
  readonly #prefix: string
  readonly #below: readonly string[]
  readonly #folders = new Set<string>()

  constructor(
    readonly tree: Tree,
    /** `''` is the root. */
    readonly path: string,
  ) {
    this.#prefix = path === '' ? '' : `${path}/`
    const below: string[] = []
    for (const file of tree.files) if (file.startsWith(this.#prefix)) below.push(file.slice(this.#prefix.length))
    this.#below = below.sort()
    for (const file of below)
      for (let end = file.lastIndexOf('/'); end > 0; end = file.lastIndexOf('/', end - 1)) this.#folders.add(file.slice(0, end))
  }

  has(file: string): boolean {
    return this.tree.files.has(this.#prefix + file)
  }

  text(file: string): string | undefined {
    return this.tree.texts.get(this.#prefix + file)
  }

  /** All files beneath, sorted. */
  below(): readonly string[] {
    return this.#below
  }

  hasFolder(name: string): boolean {
    return this.#folders.has(name)
  }

  first(names: readonly string[]): string | undefined {
    return names.find((name) => this.has(name))
  }
}
