/** Our own rules: what makes a build slow or an image large. They name what to write instead. */
import type { MountField } from '../instructions/mount'
import type { CopyInstruction, RunInstruction, Stage } from '../instructions/types'
import type { Dockerfile } from '../parser'
import type { Report } from './lint'

/** Installers of dependencies, and the files that say which. */
const INSTALLERS: readonly { command: RegExp; manifests: readonly string[] }[] = [
  { command: /\bnpm (?:ci|install|i)(?:\s+-|\s*$|\s*[&|;])/m, manifests: ['package.json', 'package-lock.json'] },
  { command: /\byarn(?: install)?(?:\s+-|\s*$|\s*[&|;])/m, manifests: ['package.json', 'yarn.lock'] },
  { command: /\bpnpm (?:i|install)\b/, manifests: ['package.json', 'pnpm-lock.yaml'] },
  { command: /\bpip3? install\b.*-r\s/, manifests: ['requirements.txt'] },
  { command: /\bgo mod download\b/, manifests: ['go.mod', 'go.sum'] },
  { command: /\bcargo fetch\b/, manifests: ['Cargo.toml', 'Cargo.lock'] },
  { command: /\bbundle install\b/, manifests: ['Gemfile', 'Gemfile.lock'] },
  { command: /\bcomposer install\b/, manifests: ['composer.json', 'composer.lock'] },
  { command: /\bpoetry install\b/, manifests: ['pyproject.toml', 'poetry.lock'] },
  { command: /\bmvn\b.*dependency:go-offline/, manifests: ['pom.xml'] },
]

export function lintAdvice(dockerfile: Dockerfile, report: Report): void {
  for (const stage of dockerfile.stages) {
    cacheOrder(stage, report)
    const last = stage === dockerfile.stages.at(-1)
    for (const instruction of stage.instructions) if (instruction.kind === 'RUN') packages(instruction, last, report)
  }
}

const textOf = ({ command, heredocs }: RunInstruction): string =>
  command.form === 'exec' ? command.args.join(' ') : [command.text, ...heredocs.map((heredoc) => heredoc.content)].join('\n')

/** The context as a whole before the dependencies: every change of a source installs them again. */
function cacheOrder(stage: Stage, report: Report): void {
  let whole: CopyInstruction | null = null
  for (const instruction of stage.instructions) {
    if ((instruction.kind === 'COPY' || instruction.kind === 'ADD') && !instruction.from && !whole) {
      if (instruction.sources.some((source) => /^\.?\/?\.?$/.test(source.text))) whole = instruction
    }
    if (instruction.kind !== 'RUN') continue
    const text = textOf(instruction)
    const installer = INSTALLERS.find(({ command }) => command.test(text))
    if (!installer) continue
    // Installed in time: one that comes again after the sources (yarn install --production) only tidies up.
    if (!whole) return
    report(
      'CopyBeforeInstall',
      `All sources are copied before the dependencies are installed, so every change installs them again. Copy ${installer.manifests.join(' and ')} first, install, and then copy the rest.`,
      whole.range.start.line,
    )
    return
  }
}

function packages(instruction: RunInstruction, last: boolean, report: Report): void {
  const text = textOf(instruction)
  const line = instruction.range.start.line
  const installs = /\bapt(?:-get)?\b[^&|;\n]*\binstall\b/.test(text)
  const updates = /\bapt(?:-get)?\b[^&|;\n]*\bupdate\b/.test(text)
  if (updates && !installs) {
    report(
      'AptUpdateAlone',
      'apt-get update in a step of its own is taken from the cache while the packages move on. Write apt-get update && apt-get install … in one RUN.',
      line,
    )
  }
  if (!last) return
  // What a mount holds is not in the layer.
  const mounted = (path: string) => instruction.mounts.some(({ fields }) => mountHolds(fields, path))
  if (installs && !mounted('/var/lib/apt/lists') && !/\/var\/lib\/apt\/lists/.test(text)) {
    report('AptListsKept', 'The package lists stay in this layer. End the RUN with && rm -rf /var/lib/apt/lists/*.', line)
  }
  if (/\bapk\b[^&|;\n]*\badd\b/.test(text) && !mounted('/var/cache/apk') && !/--no-cache|\/var\/cache\/apk/.test(text)) {
    report('ApkCacheKept', 'The package index stays in this layer. Write apk add --no-cache.', line)
  }
  if (/\bpip3? install\b/.test(text) && !mounted('/root/.cache/pip') && !/--no-cache-dir|PIP_NO_CACHE_DIR/.test(text)) {
    report('PipCacheKept', 'The downloads of pip stay in this layer. Write pip install --no-cache-dir.', line)
  }
}

const mountHolds = (fields: readonly MountField[], path: string): boolean => {
  const target = fields.find((field) => field.key === 'target')?.value?.text.replace(/\/+$/, '') ?? ''
  return target !== '' && (path === target || path.startsWith(`${target}/`))
}
