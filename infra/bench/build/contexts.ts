/** The folders that are built, and the images they start from. Both builders get the same. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const BASE = 'bench-base'
/** With an archive of 20,000 small files, for a RUN to unpack. */
export const BASE_MODULES = 'bench-modules'
export const MODULE_FILES = 20_000
export const SOURCE_FILES = 3_000

/** Six steps on a base, with a COPY of 3,000 files. `mark` makes it a project of its own. */
export function sixSteps(folder: string, mark: string): string {
  writeFile(folder, 'Dockerfile', [
    `FROM ${BASE}`,
    'WORKDIR /app',
    'COPY package.json ./',
    'RUN mkdir -p node_modules/dep && cp package.json node_modules/dep/index.js',
    'COPY . .',
    'RUN ls -lR > /app/files.txt',
    'ENV NODE_ENV=production',
    'CMD ["sh", "/app/start.sh"]',
  ])
  writeFile(folder, 'package.json', [`{ "name": "bench-${mark}" }`])
  writeFile(folder, 'start.sh', ['sleep 1'])
  for (let i = 0; i < SOURCE_FILES; i++) {
    writeFile(folder, `src/part-${i % 60}/module-${i}.js`, [
      `// ${mark} ${i}`,
      `export const value = ${i}`,
      'x'.repeat(100 + ((i * 37) % 4000)),
    ])
  }
  return folder
}

/** `count` times RUN true and nothing else. */
export function runs(folder: string, count: number): string {
  writeFile(folder, 'Dockerfile', [`FROM ${BASE}`, ...Array.from({ length: count }, () => 'RUN true')])
  return folder
}

/** Variable that every process of `unruly` has. */
export const UNRULY = 'BENCH_UNRULY'
const UNRULY_STAGES = 4
/** At least so many run once all stages do. */
export const UNRULY_PROCESSES = UNRULY_STAGES * 16

/** Stages that run at once and never end, each a tree of processes that want to stay. */
export function unruly(folder: string): string {
  const stages = Array.from({ length: UNRULY_STAGES }, (_, i) => `stage-${i}`)
  writeFile(folder, 'Dockerfile', [
    ...stages.flatMap((stage) => [`FROM ${BASE} AS ${stage}`, `ENV ${UNRULY}=1`, 'COPY tree.sh /', `RUN sh /tree.sh ${stage}`]),
    `FROM ${BASE}`,
    ...stages.map((stage) => `COPY --from=${stage} /tree.sh /${stage}`),
  ])
  writeFile(folder, 'tree.sh', [
    "trap '' HUP INT QUIT TERM",
    '# In a session of its own; a daemon whose parents are gone; one that never rests; one below the other.',
    "busybox setsid sh -c 'while :; do sleep 1000; done' &",
    "( ( exec sh -c 'while :; do sleep 1000; done' ) & )",
    '( while :; do :; done ) &',
    `sh -c 'sh -c "sh -c "sleep 1000; true"; true"; true' &`,
    '# New ones without end.',
    'while :; do sleep 1000 & sleep 0.05; done',
  ])
  return folder
}

export function modules(folder: string): string {
  writeFile(folder, 'Dockerfile', [`FROM ${BASE_MODULES}`, 'RUN mkdir -p /app && tar -C /app -xf /opt/modules.tar'])
  return folder
}

/** This machine's own libraries and documents in five COPYs: real names, sizes and compressibility. Gives their megabytes. */
export function large(folder: string): number {
  const files = realFiles(['/usr/lib', '/usr/share'])
  const sizes = [110, 80, 50, 25, 12]
  let total = 0
  for (const [i, megabytes] of sizes.entries()) {
    for (let size = 0; size < megabytes * 1e6; ) {
      const next = files.next()
      if (next.done) break
      const target = join(folder, `part-${i}`, next.value)
      mkdirSync(dirname(target), { recursive: true })
      copyFileSync(next.value, target)
      size += lstatSync(target).size
      total += lstatSync(target).size
    }
  }
  writeFile(folder, 'Dockerfile', [`FROM ${BASE}`, ...sizes.map((_, i) => `COPY part-${i} /opt/part-${i}`)])
  return Math.round(total / 1e6)
}

function* realFiles(roots: string[]): Generator<string> {
  const pending = [...roots].reverse()
  for (let path = pending.pop(); path; path = pending.pop()) {
    const stat = lstatSync(path)
    if (stat.isDirectory()) {
      const names = readdirSync(path).sort().reverse()
      pending.push(...names.map((name) => join(path as string, name)))
    }
    // Huge files say little about a build of many.
    else if (stat.isFile() && stat.nlink === 1 && stat.size < 30e6) yield path
  }
}

const PROGRAMS = ['sh', 'true', 'ls', 'mkdir', 'cp', 'tar', 'cat', 'sleep']

/** A root file system of one static busybox, as tars: bare, and with the archive of modules. */
export function baseTars(folder: string): { base: string; modules: string } {
  const root = join(folder, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  for (const name of ['etc', 'tmp', 'proc', 'sys', 'dev', 'opt']) mkdirSync(join(root, name))
  copyFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(), join(root, 'bin/busybox'))
  for (const name of PROGRAMS) symlinkSync('busybox', join(root, 'bin', name))
  const base = join(folder, 'base.tar')
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', base, '.'])

  const tree = join(folder, 'tree')
  for (let i = 0; i < MODULE_FILES; i++) {
    writeFile(tree, `node_modules/package-${i % 400}/lib/part-${i % 7}/file-${i}.js`, [
      '"use strict"',
      `// ${i}`,
      'y'.repeat((i * 31) % 3000),
    ])
  }
  const archive = join(root, 'opt/modules.tar')
  execFileSync('tar', ['-C', tree, '--owner=0', '--group=0', '-cf', archive, '.'])
  const withModules = join(folder, 'modules.tar')
  execFileSync('tar', ['-C', root, '--owner=0', '--group=0', '-cf', withModules, '.'])
  return { base, modules: withModules }
}

/** A copy made of hard links, with files of its own where `write` makes some. */
export function linked(from: string, to: string): string {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    const source = join(entry.parentPath, entry.name)
    const target = join(to, source.slice(from.length))
    if (entry.isDirectory()) mkdirSync(target, { recursive: true })
    else {
      mkdirSync(dirname(target), { recursive: true })
      linkSync(source, target)
    }
  }
  return to
}

function writeFile(folder: string, name: string, lines: string[]): void {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${lines.join('\n')}\n`)
}
