// The dependency rule, checked where it can be broken: in import statements and in the manifests.
import { isTest } from './sources.mjs'

const IMPORT = /(?:^|[;\s}])(?:import|export)\s+(?:type\s+)?(?:[\w*{][^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g

/** Module names a TypeScript file imports. */
export function importsOf(/** @type {string} */ text) {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2])
}

/**
 * @param {import('./sources.mjs').Source[]} sources
 * @param {{ packages: Record<string, string[]>, apps: Record<string, string[]> }} rules
 * @returns {string[]} one sentence per violation
 */
export function checkImports(sources, { packages, apps }) {
  const problems = []
  for (const { path, text } of sources) {
    const home = path.match(/^(packages|apps)\/([^/]+)\/.*\.(ts|tsx|mjs)$/)
    if (!home) continue
    const [, kind, name] = home
    const allowed = kind === 'packages' ? packages[name] : apps[name]
    if (!allowed) {
      problems.push(`${path}: ${kind}/${name} has no line in infra/check/rules.mjs. Say there what it may import.`)
      continue
    }
    for (const target of importsOf(text)) {
      const own = target.match(/^@slipway\/([^/]+)(\/.*)?$/)
      if (own) {
        const [, wanted, inner] = own
        if (wanted === name || allowed.includes(wanted) || wanted === 'config' || (wanted === 'testing' && isTest(path))) {
          if (inner?.startsWith('/src')) problems.push(`${path}: imports ${target}. Import the package's public index instead.`)
          continue
        }
        problems.push(`${path}: imports @slipway/${wanted}, but ${name} may import only ${list(allowed)}.`)
      } else if (target.startsWith('.')) {
        const climbed = resolveFrom(path, target)
        if (!climbed.startsWith(`${kind}/${name}/`) && !/^(infra|prisma|tests)\//.test(climbed)) {
          problems.push(`${path}: imports ${target}, which leaves ${kind}/${name}. Import the package by its name.`)
        }
      }
    }
  }
  return problems
}

/**
 * Every imported package of ours must be in the importer's package.json, and nothing there may break the rule.
 * @param {import('./sources.mjs').Source[]} sources
 * @param {{ packages: Record<string, string[]>, apps: Record<string, string[]> }} rules
 */
export function checkManifests(sources, { packages, apps }) {
  const problems = []
  for (const { path, text } of sources) {
    const home = path.match(/^(packages|apps)\/([^/]+)\/package\.json$/)
    if (!home) continue
    const [, kind, name] = home
    const allowed = (kind === 'packages' ? packages[name] : apps[name]) ?? []
    const manifest = JSON.parse(text)
    const own = (entries) => Object.keys(entries ?? {}).flatMap((key) => key.match(/^@slipway\/(.+)$/)?.[1] ?? [])
    for (const wanted of own(manifest.dependencies)) {
      if (!allowed.includes(wanted))
        problems.push(`${path}: depends on @slipway/${wanted}, but ${name} may depend only on ${list(allowed)}.`)
    }
    const declared = new Set([...own(manifest.dependencies), ...own(manifest.devDependencies), name, 'config'])
    const used = new Set(
      sources
        .filter((source) => source.path.startsWith(`${kind}/${name}/`) && /\.(ts|tsx|mjs)$/.test(source.path))
        .flatMap((source) => importsOf(source.text))
        .flatMap((target) => target.match(/^@slipway\/([^/]+)/)?.[1] ?? []),
    )
    for (const wanted of used) {
      if (!declared.has(wanted)) problems.push(`${path}: imports @slipway/${wanted} without naming it in its dependencies.`)
    }
  }
  return problems
}

/** @param {import('./sources.mjs').Source[]} sources @param {Record<string, string[]>} crates */
export function checkCrates(sources, crates) {
  const problems = []
  for (const { path, text } of sources) {
    const name = path.match(/^apps\/agent\/crates\/([^/]+)\/Cargo\.toml$/)?.[1]
    if (!name) continue
    if (!crates[name]) {
      problems.push(`${path}: the crate has no line in infra/check/rules.mjs. Say there what it may depend on.`)
      continue
    }
    // What tests use ([dev-dependencies]) is free: it is not part of the agent.
    const shipped = text.split(/^\[/m).filter((section) => /^(target\..*\.)?(build-)?dependencies\]/.test(section))
    for (const wanted of shipped.flatMap((section) => [...section.matchAll(/^slipway-([a-z]+)\b/gm)].map((match) => match[1]))) {
      if (!crates[name].includes(wanted))
        problems.push(`${path}: depends on slipway-${wanted}, but ${name} may depend only on ${list(crates[name])}.`)
    }
    const root = sources.find((source) =>
      [`apps/agent/crates/${name}/src/lib.rs`, `apps/agent/crates/${name}/src/main.rs`].includes(source.path),
    )
    if (name !== 'sys' && root && !/^#!\[forbid\(unsafe_code\)\]/m.test(root.text)) {
      problems.push(`${root.path}: only crates/sys may hold unsafe code. Begin this crate with #![forbid(unsafe_code)].`)
    }
  }
  return problems
}

const list = (names) => (names.length === 0 ? 'nothing of ours' : names.join(', '))

function resolveFrom(path, target) {
  const parts = path.split('/').slice(0, -1)
  for (const step of target.split('/')) {
    if (step === '..') parts.pop()
    else if (step !== '.') parts.push(step)
  }
  return parts.join('/')
}
