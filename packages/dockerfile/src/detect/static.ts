/** Files that are served as they are, or as Hugo and Jekyll make them. */
import { ignoreFile, type Kind, PORT_NODE } from './detection'
import { apt, Sheet, USER } from './sheet'
import { OWN } from './versions'

/** Ends a sheet whose last stage is busybox: the files at `source` (of stage `from`, else of the context) behind a small server. */
export function serveFiles(sheet: Sheet, source: string, from?: string): Sheet {
  return sheet
    .env({ PORT: String(PORT_NODE) })
    .copy([source], '/srv', from ? { from } : {})
    .user(USER)
    .expose(PORT_NODE)
    .comment('The first process gets no default action for signals: the trap makes it stop at once when it is told to.')
    .cmd(['sh', '-c', `trap 'exit 0' TERM INT; httpd -f -p "$PORT" -h /srv & wait`])
}

export const staticSite: Kind = (folder) => {
  const common = { port: PORT_NODE, warnings: [] as string[], ignore: ignoreFile([]) }
  const hugo =
    folder.first(['hugo.toml', 'hugo.yaml', 'hugo.json']) ?? (folder.hasFolder('archetypes') ? folder.first(['config.toml']) : undefined)
  if (hugo) {
    const sheet = new Sheet('Hugo')
      .stage('Stage 1: the site is made.', OWN.debian, 'build')
      .run(apt(['hugo']))
      .workdir('/site')
      .copy(['.'], '.')
      .run(['hugo --minify --destination /out'])
      .stage('Stage 2: the files, and a small server.', OWN.busybox)
    serveFiles(sheet, '/out', 'build')
    return { ...common, stack: ['Hugo', 'static files'], evidence: [{ file: hugo, fact: 'configures Hugo' }], ...sheet.made() }
  }
  if (
    folder.has('_config.yml') &&
    (folder.hasFolder('_posts') || folder.hasFolder('_layouts') || /jekyll/.test(folder.text('Gemfile') ?? ''))
  ) {
    const sheet = new Sheet('Jekyll')
      .stage('Stage 1: the site is made.', OWN.debian, 'build')
      .run(apt(['jekyll']))
      .workdir('/site')
      .copy(['.'], '.')
      .run(['jekyll build --destination /out'])
      .stage('Stage 2: the files, and a small server.', OWN.busybox)
    const warnings = folder.has('Gemfile') ? ['Jekyll and its themes are Debian’s: what Gemfile asks for beyond is not installed.'] : []
    const evidence = [{ file: '_config.yml', fact: 'configures Jekyll' }]
    return { ...common, stack: ['Jekyll', 'static files'], evidence, warnings, ...serveFiles(sheet, '/out', 'build').made() }
  }
  const index = folder.first(['index.html', 'public/index.html'])
  if (!index) return null
  const sheet = new Sheet('static files').stage('Nothing is built: the files, and a small server.', OWN.busybox)
  serveFiles(sheet, index === 'index.html' ? '.' : 'public')
  return { ...common, stack: ['static files'], evidence: [{ file: index, fact: 'is the first page' }], ...sheet.made() }
}
