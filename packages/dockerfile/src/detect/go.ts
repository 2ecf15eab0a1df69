/** Go: a module with a main package at its root or beneath cmd/, as one static program on a small base. */
import { ignoreFile, isSafePath, type Kind, PORT_OTHER, shown } from './detection'
import { apt, OWNER, Sheet, USER } from './sheet'
import type { Folder } from './tree'
import { fromHub, OWN } from './versions'

/** Debian’s own. */
const DEBIAN_GO = 19
const CACHES = ['/root/go/pkg/mod', '/root/.cache/go-build']
const HUB_CACHES = ['/go/pkg/mod', '/root/.cache/go-build']

export const go: Kind = (folder) => {
  const text = folder.text('go.mod')
  if (text === undefined) return null
  const main = mainOf(folder)
  if (typeof main === 'string') return main
  const minor = Number(/^go 1\.(\d{1,3})/m.exec(text)?.[1] ?? DEBIAN_GO)
  const local = minor <= DEBIAN_GO
  const base = local ? OWN.debian : `golang:1.${minor}-bookworm`
  const warnings = [...main.warnings]
  if (!local) warnings.push(fromHub(base, 'Go', `Go 1.${DEBIAN_GO}`))
  const framework = (['gin-gonic/gin', 'labstack/echo', 'gofiber/fiber', 'go-chi/chi', 'gorilla/mux'] as const).find((name) =>
    text.includes(`github.com/${name}`),
  )
  const title = framework ? (framework.split('/')[1] ?? framework) : 'net/http'
  const stack = [`Go 1.${local ? DEBIAN_GO : minor}`, ...(framework ? [title] : [])]
  const caches = local ? CACHES : HUB_CACHES
  // cgo needs a C library where it runs: the program then goes onto Debian.
  const cgo = /mattn\/go-sqlite3|confluentinc\/confluent-kafka-go/.test(text)
  const env: Record<string, string> = { CGO_ENABLED: cgo ? '1' : '0' }
  const module = /^module\s+"?(\S{1,200}?)"?\s*$/m.exec(text)?.[1]

  const sheet = new Sheet(`${stack.join(', ')}`).stage('Stage 1: the compiler.', base, 'build')
  if (local) sheet.run(apt(['ca-certificates', 'git', 'golang-go', ...(cgo ? ['gcc', 'libc6-dev'] : [])]))
  sheet.env(env).workdir('/src')
  sheet.comment('The modules first: they are downloaded again only when these files change. The caches keep modules and compiled packages.')
  sheet.copy(['go.mod', ...(folder.has('go.sum') ? ['go.sum'] : [])], './')
  if (!folder.hasFolder('vendor')) sheet.run(['go mod download'], { caches })
  sheet.copy(['.'], '.').run([`go build -trimpath -ldflags="-s -w" -o /out/app ${main.package}`], { caches })

  sheet.stage(
    cgo
      ? 'Stage 2: the program on Debian, as it needs a C library.'
      : 'Stage 2: the program alone, which needs nothing but the authorities of TLS.',
    cgo ? OWN.debian : OWN.busybox,
  )
  if (!cgo) sheet.copy(['/etc/ssl/certs/ca-certificates.crt'], '/etc/ssl/certs/', { from: 'build' })
  sheet.env({ PORT: String(PORT_OTHER) }).workdir('/app')
  for (const data of ['templates', 'static', 'public', 'views', 'web', 'assets', 'migrations'])
    if (folder.hasFolder(data) && !folder.below().some((file) => file.startsWith(`${data}/`) && file.endsWith('.go')))
      sheet.copy([data], `./${data}`, { chown: OWNER })
  sheet.copy(['/out/app'], '/usr/local/bin/app', { from: 'build' }).user(USER).expose(PORT_OTHER).cmd(['/usr/local/bin/app'])
  return {
    stack,
    evidence: [
      { file: 'go.mod', fact: `is module ${shown(module ?? '')}, Go 1.${minor}` },
      ...(folder.has('go.sum') ? [{ file: 'go.sum', fact: 'locks the modules' }] : []),
      main.evidence,
    ],
    ...sheet.made(),
    ignore: ignoreFile([]),
    port: PORT_OTHER,
    warnings,
  }
}

const isMain = (folder: Folder, file: string) => /^package main\b/m.test(folder.text(file) ?? '')

function mainOf(folder: Folder): { package: string; evidence: { file: string; fact: string }; warnings: string[] } | string {
  if (isMain(folder, 'main.go')) return { package: '.', evidence: { file: 'main.go', fact: 'is package main' }, warnings: [] }
  const commands = folder.below().filter((file) => /^cmd\/[^/]+\/main\.go$/.test(file) && isMain(folder, file) && isSafePath(file))
  const nameOf = (file: string) => file.split('/')[1] ?? ''
  const module = /^module\s+\S*?([^/\s"]{1,100})"?\s*$/m.exec(folder.text('go.mod') ?? '')?.[1] ?? ''
  const chosen =
    [module, 'server', 'web', 'api', 'app'].map((name) => commands.find((file) => nameOf(file) === name)).find(Boolean) ?? commands[0]
  if (chosen) {
    const others = commands.filter((file) => file !== chosen).map(nameOf)
    const warnings =
      others.length > 0
        ? [
            `cmd/${nameOf(chosen)} is built; there are also ${others.slice(0, 5).map(shown).join(', ')}. Change the line with go build for another.`,
          ]
        : []
    return { package: `./cmd/${nameOf(chosen)}`, evidence: { file: chosen, fact: 'is package main' }, warnings }
  }
  const below = folder.below().filter((file) => file.endsWith('/main.go') && isMain(folder, file) && isSafePath(file))
  const only = below[0]
  if (only && below.length === 1)
    return { package: `./${only.slice(0, -'/main.go'.length)}`, evidence: { file: only, fact: 'is package main' }, warnings: [] }
  return 'go.mod is here, but there is no main.go of package main at the root or in cmd/<name>. Add one, or commit a Dockerfile.'
}
