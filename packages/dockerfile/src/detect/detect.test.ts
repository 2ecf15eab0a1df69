/**
 * testdata/detect/<case>/tree.txt (`-- path --` before each file) against the Dockerfile and the answer beside it.
 * `UPDATE_GOLDENS=1 npx vitest run packages/dockerfile/src/detect` rewrites them: read the diff.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkDockerfile, createIgnoreMatcher, parseDockerfile } from '../index'
import { type Detection, detect, detectAll, type Tree, wanted } from './index'

const root = fileURLToPath(new URL('../../testdata/detect/', import.meta.url))
const update = process.env.UPDATE_GOLDENS === '1'

const treeOf = (files: Record<string, string>): Tree => ({
  files: new Set(Object.keys(files)),
  texts: new Map(Object.entries(files).filter(([path]) => wanted(path.split('/').at(-1) ?? ''))),
})
function readTree(text: string): Tree {
  const parts = text.split(/^-- (.+) --\n/m).slice(1)
  const files: Record<string, string> = {}
  for (let i = 0; i + 1 < parts.length; i += 2) files[parts[i] ?? ''] = parts[i + 1] ?? ''
  return treeOf(files)
}
function compare(path: string, text: string | null): void {
  if (update && text !== null) writeFileSync(path, text)
  if (update && text === null) rmSync(path, { force: true })
  expect(existsSync(path) ? readFileSync(path, 'utf8') : null).toBe(text)
}
const keywords = (text: string) => parseDockerfile(text).stages.flatMap((stage) => ['FROM', ...stage.instructions.map(({ kind }) => kind)])

/** What holds for every Dockerfile that is made, whatever it was made of. */
function expectSound(app: Detection): void {
  const written = keywords(app.dockerfile)
  expect(written).toContain('USER')
  expect(written).toContain('CMD')
  expect(app.dockerfile).toContain(`EXPOSE ${app.port}\n`)
  const findings = checkDockerfile(app.dockerfile, { ignore: createIgnoreMatcher(app.ignore) })
  const known = app.warnings.some((warning) => warning.includes('sources are copied before')) ? ['CopyBeforeInstall'] : []
  expect(findings.filter((finding) => !known.includes(finding.rule))).toEqual([])
}

describe('goldens', () => {
  it.each(readdirSync(root).sort())('%s', (name) => {
    const tree = readTree(readFileSync(`${root}${name}/tree.txt`, 'utf8'))
    const answer = detect(tree)
    const all = detectAll(tree)
    for (const app of all.apps) expectSound(app)
    const facts = ({ dockerfile: _, ...rest }: Detection) => rest
    const found = {
      root: 'refused' in answer ? answer : facts(answer),
      apps: all.apps.map(({ folder, contextPath, stack }) => ({ folder, contextPath, stack })),
      refused: all.refused,
    }
    compare(`${root}${name}/found.json`, `${JSON.stringify(found, null, 2)}\n`)
    const several = all.apps.length > 1 ? all.apps.map((app) => `# ---- ${app.folder || '.'}\n${app.dockerfile}`).join('\n') : null
    compare(`${root}${name}/Dockerfile`, 'refused' in answer ? several : answer.dockerfile)
  })
})

const pkg = (content: unknown) => treeOf({ 'package.json': JSON.stringify(content), 'package-lock.json': '', 'server.js': '' })
const made = (tree: Tree): Detection => {
  const answer = detect(tree)
  if ('refused' in answer) throw new Error(answer.refused)
  return answer
}

describe('hostile manifests', () => {
  const clean = made(pkg({ scripts: { start: 'other' } })).dockerfile
  it.each([
    'node a.js\nRUN evil',
    'node a.js"]\nRUN evil',
    'node a\\',
    'node <<EOF',
    'node $(evil)',
    'node ../../etc/passwd',
    'node /etc/passwd',
    'node --require=x',
    `node ${'a'.repeat(5_000)}`,
    'node \u2028RUN',
  ])('a start script cannot inject an instruction: %.40j', (start) => {
    expect(made(pkg({ scripts: { start } })).dockerfile).toBe(clean)
  })

  it('keys of the prototype are no scripts and no dependencies', () => {
    const text = '{"__proto__":{"scripts":{"start":"x"}},"constructor":{"workspaces":1}}'
    expect(detect(treeOf({ 'package.json': text }))).toHaveProperty('refused')
    expect(detect(treeOf({ 'package.json': JSON.stringify({ scripts: 'toString', dependencies: ['next'] }) }))).toHaveProperty('refused')
  })

  it('a manifest that is nested without end is refused or read, never thrown', () => {
    const deep = [
      `${'['.repeat(500_000)}`,
      `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
      `a = ${'['.repeat(200_000)}`,
      `${'[a.'.repeat(10_000)}`,
    ]
    for (const text of deep)
      for (const name of ['package.json', 'composer.json', 'pyproject.toml', 'Cargo.toml', 'Pipfile'])
        expect(() => detectAll(treeOf({ [name]: text, 'index.php': '', 'src/main.rs': '' }))).not.toThrow()
  })

  it('a megabyte of anything is answered soon', () => {
    const long = ['\n', ' ', 'gem "', 'module ', 'a = ', '=', '<release>', 'web: ', 'packages:\n', '- a\n', 'x', '>=1 ', '/*']
    for (const piece of long) {
      const text = piece.repeat(Math.floor(1_000_000 / piece.length))
      const names = [
        'Gemfile',
        'go.mod',
        'pom.xml',
        'build.gradle',
        'Procfile',
        'requirements.txt',
        'app.py',
        'manage.py',
        'pnpm-workspace.yaml',
        '.nvmrc',
      ]
      const files = Object.fromEntries(names.map((name) => [name, text]))
      expect(() => detectAll(treeOf({ ...files, gradlew: '', 'cmd/a/main.go': text, 'config.ru': '' }))).not.toThrow()
      const scripts = { start: text, build: text, postinstall: text }
      expect(() =>
        detectAll(
          treeOf({ 'package.json': JSON.stringify({ scripts, engines: { node: text }, packageManager: text, workspaces: [text] }) }),
        ),
      ).not.toThrow()
    }
  })

  /** Values as an attacker would choose them, and ordinary ones. */
  const evil = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom(
      'a\nRUN evil',
      'a\r\nUSER root',
      'x"]\nCMD ["evil"]',
      "x' && evil && '",
      '$(evil)',
      '`evil`',
      '<<EOF',
      '# syntax=evil',
      'a\\',
      '../../x',
      '/etc/passwd',
      '--privileged',
      'web',
      '3.12.1',
      'v22',
      '>=18',
    ),
  )
  const text = (parts: readonly string[]) => parts.join('\n')
  const trees = fc
    .record({ a: evil, b: evil, c: evil, d: evil, path: evil, form: fc.integer({ min: 0, max: 11 }) })
    .map(({ a, b, c, d, path, form }): Tree => {
      const manifest = (more: object) =>
        JSON.stringify({ name: a, packageManager: b, engines: { node: c }, scripts: { start: d, build: a, postinstall: b }, ...more })
      const forms: Record<string, string>[] = [
        { 'package.json': manifest({ dependencies: { [a]: b, express: c } }), 'yarn.lock': d, '.yarnrc.yml': `yarnPath: ${path}` },
        {
          'package.json': manifest({ workspaces: [path, 'apps/*'] }),
          'turbo.json': '',
          [`apps/${path}/package.json`]: manifest({}),
          'pnpm-lock.yaml': `lockfileVersion: ${c}`,
        },
        { 'package.json': manifest({ dependencies: { next: a } }), 'next.config.js': `output: 'standalone' ${d}`, [`public/${path}`]: '' },
        { 'package.json': JSON.stringify({ scripts: { build: d }, devDependencies: { vite: a } }), 'vite.config.js': `outDir: '${path}'` },
        { 'requirements.txt': text(['flask', a, b]), 'app.py': `${c} = Flask(`, Procfile: `web: ${d}`, 'runtime.txt': b },
        {
          'pyproject.toml': text(['[project]', `requires-python = ${JSON.stringify(b)}`, 'dependencies = ["fastapi"]']),
          'main.py': `app = FastAPI(`,
          'uv.lock': '',
        },
        { 'manage.py': 'django', 'requirements.txt': a, [`${path}/wsgi.py`]: '' },
        { 'go.mod': text([`module ${a}`, `go ${b}`]), [`cmd/${path}/main.go`]: 'package main' },
        {
          'Cargo.toml': text([
            '[package]',
            `name = ${JSON.stringify(a)}`,
            '[[bin]]',
            `name = ${JSON.stringify(b)}`,
            '[workspace]',
            'members = ["*"]',
          ]),
          'src/main.rs': '',
          [`${path}/Cargo.toml`]: `[package]\nname = ${JSON.stringify(c)}`,
          [`${path}/src/main.rs`]: '',
        },
        { 'composer.json': JSON.stringify({ require: { php: a, [`ext-${b}`]: c } }), 'index.php': '' },
        { Gemfile: text([`ruby "${a}"`, `gem "${b}"`, 'gem "rack"']), 'config.ru': '', '.ruby-version': c, Procfile: `web: ${d}` },
        { 'pom.xml': `<java.version>${a}</java.version>${b}`, mvnw: '', '.mvn/x': '' },
      ]
      return treeOf(forms[form] ?? {})
    })

  it('no value of any manifest adds, removes or changes the kind of an instruction', () => {
    fc.assert(
      fc.property(trees, (tree) => {
        for (const app of detectAll(tree).apps) {
          expect(keywords(app.dockerfile)).toEqual(app.keywords)
          for (const line of app.dockerfile.split('\n')) expect(line).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
          for (const fact of [...app.evidence.map(({ fact }) => fact), ...app.warnings, ...app.stack]) expect(fact.length).toBeLessThan(400)
        }
      }),
      { numRuns: 400 },
    )
  })
})
