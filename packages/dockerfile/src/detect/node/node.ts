/** Node: npm, pnpm, Yarn and Bun; a project of its own or a member of a workspace; a server or static files. */
import { type Evidence, ignoreFile, type Kind, PORT_NODE, shown, type Verdict } from '../detection'
import { parseJson, string, strings, table, type Values } from '../manifest'
import { apt, OWNER, Sheet, USER } from '../sheet'
import { serveFiles } from '../static'
import type { Folder } from '../tree'
import { allows, firstVersion, fromHub, OWN } from '../versions'
import { frameworkOf, type Result, uses } from './framework'
import { type Manager, managerOf } from './manager'
import type { Workspace } from './workspace'

/** A project that is installed by itself. */
export const node: Kind = (folder) => nodeIn(folder, null)

/** `workspace`: the one that the folder is a member of; the Dockerfile is then written for the workspace's root. */
export function nodeIn(folder: Folder, workspace: Workspace | null): Verdict {
  const text = folder.text('package.json')
  if (text === undefined) return null
  const manifest = parseJson(text)
  const root = workspace?.root ?? folder
  const member = workspace && folder.path !== root.path ? folder.path.slice(root.path === '' ? 0 : root.path.length + 1) : ''
  const at = (file: string) => (member === '' ? file : `${member}/${file}`)
  if (manifest === null) return `${at('package.json')} is no JSON object. Correct it, or commit a Dockerfile.`
  const rootManifest = root === folder ? manifest : (parseJson(root.text('package.json') ?? '') ?? {})
  const framework = frameworkOf(folder, manifest, at)
  if (typeof framework === 'string') return framework
  const manager = managerOf(root, rootManifest)
  const version = versionOf(folder, root, manifest, rootManifest, at)
  const project: Project = { folder, root, member, manifest, rootManifest, workspace, manager, framework, base: version.base, at }
  const warnings = [...version.warnings]
  if (!manager.locked) warnings.push(`There is no lock file of ${manager.name}: two builds may install different versions. Commit one.`)
  if (framework.runs.kind === 'files')
    warnings.push('Paths that only the browser knows are answered with 404: the file server has no fallback to index.html.')

  const evidence = [
    { file: at('package.json'), fact: 'describes the project' },
    ...(workspace ? [{ file: workspace.file, fact: 'lists the workspaces' }] : []),
    manager.evidence,
    ...version.evidence,
    ...framework.evidence,
  ]
  const stack = [version.title, manager.title, framework.title]
  const sheet = write(project, stack.join(', '), warnings)
  return {
    stack,
    evidence,
    warnings,
    port: PORT_NODE,
    ...sheet.made(),
    ignore: ignoreFile(['**/node_modules', '**/.next', '**/npm-debug.log']),
  }
}

interface Project {
  folder: Folder
  root: Folder
  /** Of the workspace, relative to its root; `''` when the project stands for itself. */
  member: string
  manifest: Values
  rootManifest: Values
  workspace: Workspace | null
  manager: Manager
  framework: Result
  base: string
  at: (file: string) => string
}

function write(project: Project, title: string, warnings: string[]): Sheet {
  const { framework, manager, base, member } = project
  const { runs } = framework
  const sheet = new Sheet(title)
  const needsManager = runs.kind === 'program' && runs.needsManager && manager.setup.length > 0
  const packages = systemPackages(project)
  if (needsManager) sheet.stage(`Both stages: Node with ${manager.title}.`, base, 'base').run(manager.setup)
  sheet.stage('Stage 1: what is only needed to build.', needsManager ? 'base' : base, 'build')
  if (packages.build.length > 0) sheet.comment('Some dependencies are compiled, or ask for a library.').run(apt(packages.build))
  if (!needsManager && manager.setup.length > 0) sheet.run(manager.setup)
  if (Object.keys(manager.env).length > 0) sheet.env(manager.env)
  if (framework.title.startsWith('Next.js')) sheet.env({ NEXT_TELEMETRY_DISABLED: '1' })
  sheet.workdir('/app')
  installStep(project, sheet, warnings)
  const build = buildCommand(project)
  if (build) sheet.run([build])

  const home = member === '' ? '/app' : `/app/${member}`
  if (runs.kind === 'files')
    return serveFiles(sheet.stage('Stage 2: the files, and a small server.', OWN.busybox), `${home}/${runs.folder}`, 'build')
  if (runs.kind === 'program' && manager.prune && !runs.keepDev && member === '' && !project.workspace)
    sheet.comment('What only the build needed does not go into the image that runs.').run([manager.prune], pruneCaches(manager))

  sheet.stage('Stage 2: what runs.', needsManager ? 'base' : base)
  if (packages.run.length > 0) sheet.run(apt(packages.run))
  sheet.env({ NODE_ENV: 'production', PORT: String(PORT_NODE), HOSTNAME: '0.0.0.0', HOST: '0.0.0.0' })
  const copy = (from: string, to: string) => sheet.copy([from], to, { from: 'build', chown: OWNER })
  if (runs.kind === 'next-standalone') {
    sheet.comment('Next.js has gathered what it needs, and leaves static files to be put beside it.').workdir(home)
    copy(`${home}/.next/standalone`, '/app')
    copy(`${home}/.next/static`, `${home}/.next/static`)
    if (project.folder.hasFolder('public')) copy(`${home}/public`, `${home}/public`)
  } else if (runs.kind === 'output') {
    sheet.comment('The build’s output is complete: it runs without node_modules.').workdir('/app')
    copy(`${home}/${runs.folder}`, `/app/${runs.folder}`)
  } else {
    sheet.workdir(home)
    copy('/app', '/app')
  }
  const argv = runs.kind === 'next-standalone' ? ['node', 'server.js'] : runs.argv
  return sheet.user(USER).expose(PORT_NODE).cmd(argv)
}

const pruneCaches = (manager: Manager) => ({ caches: manager.name === 'npm' ? [] : [manager.cache] })

/** Manifests first, so that dependencies are installed again only when these change. */
function installStep({ root, member, workspace, manager, rootManifest, manifest }: Project, sheet: Sheet, warnings: string[]): void {
  const prisma = uses(manifest, 'prisma') && root.hasFolder('prisma') ? ['prisma'] : []
  const script = [rootManifest, ...(member ? [manifest] : [])].flatMap(installScripts)[0]
  const install = () => sheet.run([manager.install], { caches: [manager.cache] })
  if (script) {
    warnings.push(`package.json runs a script of its own at installation (${script}), so the sources are copied before it.`)
    sheet.comment('The sources come first, as the installation runs a script of theirs; a cache keeps what was downloaded.')
    sheet.copy(['.'], '.')
    install()
    return
  }
  sheet.comment('The manifests first: dependencies are installed again only when these change. The cache keeps the downloads.')
  const files = ['package.json', ...manager.files].filter((file) => !file.includes('/') && !isFolder(root, file))
  sheet.copy(files, './')
  for (const folder of [...manager.files.filter((file) => isFolder(root, file)), ...prisma]) sheet.copy([folder], `./${folder}`)
  for (const folder of workspace?.members ?? []) sheet.copy([`${folder}/package.json`], `${folder}/`)
  install()
  sheet.copy(['.'], '.')
}

const isFolder = (root: Folder, name: string) => !root.has(name) && root.hasFolder(name)

/** Scripts that npm and others run when they install the project itself, less those that need none of its files. */
function installScripts(manifest: Values): string[] {
  return ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => {
    const script = string(manifest, 'scripts', name)
    return (
      script !== undefined &&
      !/^(?:husky\b.*|(?:npx )?prisma generate|patch-package|lefthook install|(?:npx )?only-allow \w+)$/.test(script)
    )
  })
}

function buildCommand({ manager, member, manifest, rootManifest, root }: Project): string | null {
  const script = (values: Values) => string(values, 'scripts', 'build') !== undefined
  if (member === '') return script(manifest) ? `${manager.name} run build` : null
  if (!script(manifest)) return null
  if (root.has('turbo.json') && uses(rootManifest, 'turbo')) return `npx turbo run build --filter=./${member}`
  // The members that it needs are built before it.
  if (manager.name === 'pnpm') return `pnpm --filter "./${member}..." run build`
  if (manager.name === 'npm') return 'npm run build --workspaces --if-present'
  return `cd ${member} && ${manager.name} run build`
}

/** Debian packages for dependencies that are known to need some. */
function systemPackages({ manifest, rootManifest }: Project): { build: string[]; run: string[] } {
  const any = (names: string[]) => names.some((name) => uses(manifest, name) || uses(rootManifest, name))
  const compiled = any(['bcrypt', 'better-sqlite3', 'sqlite3', 'argon2', 'canvas', 'node-sass', 'node-pty', 'serialport'])
  const openssl = any(['prisma', '@prisma/client'])
  return {
    build: [...(compiled ? ['g++', 'make', 'python3'] : []), ...(openssl ? ['openssl'] : [])],
    run: openssl ? ['openssl'] : [],
  }
}

/** Majors in the order in which one would choose today, after the one that needs no internet. */
const MAJORS = [20, 22, 24, 18]

function versionOf(folder: Folder, root: Folder, manifest: Values, rootManifest: Values, at: (file: string) => string) {
  const asked = wish(folder, manifest, at) ?? wish(root, rootManifest, (file) => file)
  const major = (asked && MAJORS.find((candidate) => allows(asked.range, String(candidate)))) ?? 20
  const known = !asked || allows(asked.range, String(major))
  const base = major === 20 ? OWN.node : `node:${major}-bookworm-slim`
  const evidence: Evidence[] = asked ? [{ file: asked.file, fact: `asks for Node ${shown(asked.range)}` }] : []
  const warnings: string[] = []
  if (!known && asked)
    warnings.push(`${asked.file} asks for Node ${shown(asked.range)}, which is none of ${MAJORS.join(', ')}; Node 20 is used.`)
  if (major !== 20) warnings.push(fromHub(base, 'Node', 'Node 20'))
  return { base, title: `Node ${major}`, evidence, warnings }
}

const LTS: Record<string, string> = { hydrogen: '18', iron: '20', jod: '22', krypton: '24' }

function wish(folder: Folder, manifest: Values, at: (file: string) => string): { file: string; range: string } | null {
  const engines = string(manifest, 'engines', 'node')
  if (engines && firstVersion(engines)) return { file: at('package.json'), range: engines }
  for (const file of ['.nvmrc', '.node-version']) {
    const text = folder.text(file)?.slice(0, 100).trim()
    const named = LTS[/^lts\/(\w+)$/i.exec(text ?? '')?.[1]?.toLowerCase() ?? '']
    const range = named ?? (text ? firstVersion(text) : null)
    if (range) return { file: at(file), range }
  }
  return null
}

/** Whether a member of a workspace is something that can be started or served, rather than a library of the others. */
export const isApp = (manifest: Values): boolean =>
  string(manifest, 'scripts', 'start') !== undefined ||
  Object.keys(table(manifest, 'dependencies')).some((name) => /^(?:next|nuxt|astro|@sveltejs\/kit|@remix-run\/\w+)$/.test(name)) ||
  (uses(manifest, 'vite') && string(manifest, 'scripts', 'build') !== undefined && strings(manifest, 'files').length === 0)
