/** Rust: a package or a workspace with one program, compiled with the caches of cargo. */
import { ignoreFile, isSafeName, isSafePath, type Kind, PORT_OTHER, shown } from './detection'
import { has, parseToml, string, strings, tables, type Values } from './manifest'
import { apt, Sheet, USER } from './sheet'
import type { Folder } from './tree'
import { firstVersion, fromHub, OWN } from './versions'

/** Debian’s own. */
const DEBIAN_RUST = 63

export const rust: Kind = (folder) => {
  const text = folder.text('Cargo.toml')
  if (text === undefined) return null
  const manifest = parseToml(text)
  if (manifest === null) return 'Cargo.toml is no TOML. Correct it, or commit a Dockerfile.'
  const program = programOf(folder, manifest)
  if (typeof program === 'string') return program
  const needed = minorNeeded(folder, manifest)
  const local = needed !== null && needed <= DEBIAN_RUST
  const base = local ? OWN.debian : 'rust:1-bookworm'
  const locked = folder.has('Cargo.lock')
  const warnings = [...program.warnings]
  if (!local) warnings.push(fromHub(base, 'Rust', `Rust 1.${DEBIAN_RUST}`))
  if (!locked) warnings.push('There is no Cargo.lock: two builds may use different versions. Commit it.')
  const framework = (['axum', 'actix-web', 'rocket', 'warp', 'poem'] as const).find((name) =>
    program.uses.some((values) => has(values, 'dependencies', name)),
  )
  const stack = [local ? `Rust 1.${DEBIAN_RUST}` : 'Rust 1', ...(framework ? [framework] : [])]

  const sheet = new Sheet(stack.join(', ')).stage('Stage 1: the compiler.', base, 'build')
  if (local) sheet.run(apt(['ca-certificates', 'cargo', 'gcc', 'git', 'libc6-dev', 'libssl-dev', 'pkg-config']))
  sheet.env({ CARGO_HOME: '/cargo' }).workdir('/src')
  sheet.comment(
    'cargo decides by itself what to compile again: its caches stay outside of the layers, so the program is copied out of them.',
  )
  sheet.copy(['.'], '.')
  sheet.run(
    [
      `cargo build --release ${locked ? '--locked ' : ''}${program.package ? `--package ${program.package} ` : ''}--bin ${program.name}`,
      `install -D target/release/${program.name} /out/app`,
    ],
    { caches: ['/cargo/registry', '/src/target'] },
  )
  sheet.stage('Stage 2: the program, on the same Debian that it was linked on.', OWN.debian)
  sheet.env({ PORT: String(PORT_OTHER), ROCKET_ADDRESS: '0.0.0.0', ROCKET_PORT: String(PORT_OTHER) }).workdir('/app')
  if (program.uses.some((values) => has(values, 'dependencies', 'openssl') || has(values, 'dependencies', 'native-tls')))
    sheet.run(apt(['libssl3']))
  for (const data of ['static', 'templates', 'public', 'assets', 'migrations']) if (folder.hasFolder(data)) sheet.copy([data], `./${data}`)
  sheet.copy(['/out/app'], '/usr/local/bin/app', { from: 'build' }).user(USER).expose(PORT_OTHER).cmd(['/usr/local/bin/app'])
  return {
    stack,
    evidence: [
      { file: 'Cargo.toml', fact: has(manifest, 'workspace') ? 'is a workspace' : `is package ${shown(program.name)}` },
      ...(locked ? [{ file: 'Cargo.lock', fact: 'locks the versions' }] : []),
      program.evidence,
    ],
    ...sheet.made(),
    ignore: ignoreFile(['target']),
    port: PORT_OTHER,
    warnings,
  }
}

interface Program {
  name: string
  /** Of the workspace's member; null: the root's own. */
  package: string | null
  evidence: { file: string; fact: string }
  warnings: string[]
  uses: Values[]
}

function programOf(folder: Folder, manifest: Values): Program | string {
  const own = binaries(folder, '', manifest)
  const members = has(manifest, 'workspace') ? membersOf(folder, manifest) : []
  const all = [...own, ...members.flatMap(({ path, values }) => binaries(folder, `${path}/`, values))]
  const chosen = ['server', 'web', 'api', 'app'].map((name) => all.find((program) => program.name.endsWith(name))).find(Boolean) ?? all[0]
  if (!chosen) return 'Cargo.toml has no program: neither src/main.rs nor a [[bin]]. Add one, or commit a Dockerfile.'
  const first = own[0] ?? chosen
  const others = all.filter((program) => program !== first).map((program) => program.name)
  const warnings =
    others.length > 0
      ? [`${first.name} is built; there are also ${others.slice(0, 5).join(', ')}. Change the line with cargo build for another.`]
      : []
  return { ...first, warnings }
}

function binaries(folder: Folder, prefix: string, values: Values): Program[] {
  const name = string(values, 'package', 'name')
  if (!name || !isSafeName(name)) return []
  const common = { package: prefix === '' ? null : name, warnings: [], uses: [values] }
  const named = tables(values, 'bin').flatMap((bin) => string(bin, 'name') ?? [])
  const found = named
    .filter(isSafeName)
    .map((bin) => ({ ...common, name: bin, evidence: { file: `${prefix}Cargo.toml`, fact: `names the program ${bin}` } }))
  if (found.length > 0) return found
  return folder.has(`${prefix}src/main.rs`) ? [{ ...common, name, evidence: { file: `${prefix}src/main.rs`, fact: 'is the program' } }] : []
}

function membersOf(folder: Folder, manifest: Values): { path: string; values: Values }[] {
  const patterns = strings(manifest, 'workspace', 'members')
  const folders = folder
    .below()
    .filter((file) => file.endsWith('/Cargo.toml'))
    .map((file) => file.slice(0, -'/Cargo.toml'.length))
  const fits = (path: string) =>
    patterns.some(
      (pattern) =>
        pattern === path ||
        (pattern.endsWith('/*') && path.startsWith(pattern.slice(0, -1)) && !path.slice(pattern.length - 1).includes('/')),
    )
  return folders
    .filter((path) => isSafePath(path) && fits(path))
    .slice(0, 100)
    .flatMap((path) => {
      const values = parseToml(folder.text(`${path}/Cargo.toml`) ?? '')
      return values ? [{ path, values }] : []
    })
}

/** The oldest minor of Rust 1 that surely compiles it; null where that is not known: newer crates ask for a newer compiler. */
function minorNeeded(folder: Folder, manifest: Values): number | null {
  const channel = folder.text('rust-toolchain') ?? folder.text('rust-toolchain.toml') ?? ''
  const asked = firstVersion(
    string(manifest, 'package', 'rust-version') ?? string(manifest, 'workspace', 'package', 'rust-version') ?? channel,
  )
  if (string(manifest, 'package', 'edition') === '2024' || /^version = [4-9]/m.test(folder.text('Cargo.lock') ?? '')) return null
  if (asked?.startsWith('1.')) return Number(asked.split('.')[1])
  return has(manifest, 'dependencies') || has(manifest, 'workspace') ? null : DEBIAN_RUST
}
