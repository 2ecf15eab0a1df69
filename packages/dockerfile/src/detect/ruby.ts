/** Ruby: Bundler with Rails, Sinatra or another Rack app. */
import { type Evidence, ignoreFile, type Kind } from './detection'
import { procfileWeb } from './procfile'
import { apt, OWNER, Sheet, USER } from './sheet'
import type { Folder } from './tree'
import { allows, firstVersion, fromHub, minorOf, OWN } from './versions'

const PORT = 3000
/** Debian’s own. */
const DEBIAN_RUBY = '3.1'

export const ruby: Kind = (folder) => {
  const gemfile = folder.text('Gemfile')
  if (gemfile === undefined) return null
  const gems = gemsOf(folder, gemfile)
  const start = startOf(folder, gems)
  if (start === null)
    return gems.has('jekyll')
      ? null
      : 'Found a Gemfile, but neither Rails nor a config.ru nor a Procfile: how to start is not known. Commit a Dockerfile.'
  const asked = versionOf(folder, gemfile)
  const local = !asked || allows(asked.range, DEBIAN_RUBY)
  const wanted = local ? DEBIAN_RUBY : minorOf(firstVersion(asked.range) ?? DEBIAN_RUBY)
  const base = local ? OWN.debian : `ruby:${wanted}-slim-bookworm`
  const locked = folder.has('Gemfile.lock')
  const warnings = [...start.warnings]
  if (!local) warnings.push(fromHub(base, 'Ruby', `Ruby ${DEBIAN_RUBY}`))
  if (!locked) warnings.push('There is no Gemfile.lock: two builds may install different versions. Commit it.')
  const stack = [`Ruby ${wanted}`, 'Bundler', start.title]
  const run = [
    ...(local ? ['ruby', 'ruby-bundler'] : []),
    ...(gems.has('pg') ? ['libpq5'] : []),
    ...(gems.has('mysql2') ? ['libmariadb3'] : []),
    ...(gems.has('sqlite3') ? ['libsqlite3-0'] : []),
    'libyaml-0-2',
  ]
  const build = [
    ...(local ? ['ruby', 'ruby-bundler', 'ruby-dev'] : []),
    'build-essential',
    'git',
    'libyaml-dev',
    'pkg-config',
    ...(gems.has('pg') ? ['libpq-dev'] : []),
    ...(gems.has('mysql2') ? ['default-libmysqlclient-dev'] : []),
    ...(gems.has('sqlite3') ? ['libsqlite3-dev'] : []),
  ]
  const rails = start.title === 'Rails'
  const env = {
    BUNDLE_PATH: '/bundle',
    BUNDLE_WITHOUT: 'development:test',
    ...(locked && { BUNDLE_DEPLOYMENT: '1' }),
    RACK_ENV: 'production',
    ...(rails && { RAILS_ENV: 'production', RAILS_LOG_TO_STDOUT: '1', RAILS_SERVE_STATIC_FILES: '1' }),
  }

  const sheet = new Sheet(stack.join(', ')).stage('Stage 1: the gems, some of which are compiled.', base, 'build')
  sheet.run(apt(build)).env(env).workdir('/app')
  sheet.comment('The manifests first: gems are installed again only when these change. The cache keeps the downloads.')
  sheet.copy(['Gemfile', ...(locked ? ['Gemfile.lock'] : []), ...['.ruby-version'].filter((file) => folder.has(file))], './')
  sheet.run(['bundle install'], { caches: ['/root/.bundle/cache'] }).copy(['.'], '.')
  const assets = rails && ['sprockets-rails', 'propshaft', 'sass-rails', 'importmap-rails'].some((gem) => gems.has(gem))
  if (assets)
    sheet
      .comment('The key is needed to load the app, and is nobody’s secret.')
      .run(['SECRET_KEY_BASE_DUMMY=1 SECRET_KEY_BASE=only-to-build bundle exec rails assets:precompile'])

  sheet.stage('Stage 2: what runs, without the compilers.', base)
  sheet
    .run(apt(run))
    .env({ ...env, PORT: String(PORT) })
    .workdir('/app')
  sheet.copy(['/bundle'], '/bundle', { from: 'build' }).copy(['/app'], '/app', { from: 'build', chown: OWNER })
  sheet.comment('Where servers keep their sockets and logs.').run(['mkdir -p tmp/pids log', `chown -R ${OWNER} tmp log`])
  sheet.user(USER).expose(PORT).shellCmd(start.command)
  return {
    stack,
    evidence: [
      { file: 'Gemfile', fact: 'names what to install' },
      ...(locked ? [{ file: 'Gemfile.lock', fact: 'locks the versions' }] : []),
      ...(asked ? [{ file: asked.file, fact: `asks for Ruby ${minorOf(firstVersion(asked.range) ?? '')}` }] : []),
      ...start.evidence,
    ],
    ...sheet.made(),
    ignore: ignoreFile(['vendor/bundle', 'log/*', 'tmp/*', 'node_modules', 'config/master.key', 'config/*.key']),
    port: PORT,
    warnings,
  }
}

function gemsOf(folder: Folder, gemfile: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const match of gemfile.matchAll(/^[ \t]*gem[ \t]+["']([A-Za-z0-9_.-]{1,100})["']/gm)) names.add(match[1] ?? '')
  for (const match of (folder.text('Gemfile.lock') ?? '').matchAll(/^ {4}([A-Za-z0-9_.-]{1,100}) \(/gm)) names.add(match[1] ?? '')
  return names
}

function startOf(
  folder: Folder,
  gems: ReadonlySet<string>,
): { title: string; command: string; evidence: Evidence[]; warnings: string[] } | null {
  const rails = gems.has('rails') && folder.has('config/application.rb')
  const title = rails ? 'Rails' : gems.has('sinatra') ? 'Sinatra' : 'Rack'
  const procfile = procfileWeb(folder)
  const warnings = rails
    ? ['Rails needs SECRET_KEY_BASE or RAILS_MASTER_KEY: set one as a variable of the app. Migrations are not run by the build.']
    : []
  if (procfile) return { title, command: procfile.command, evidence: [procfile.evidence], warnings }
  if (rails) {
    const config = folder.has('config/puma.rb') && gems.has('puma')
    const command = config ? 'bundle exec puma -C config/puma.rb' : 'bundle exec rails server -b 0.0.0.0 -p $PORT'
    return { title, command, evidence: [{ file: 'config/application.rb', fact: 'belongs to Rails' }], warnings }
  }
  if (!folder.has('config.ru')) return null
  const evidence = [{ file: 'config.ru', fact: 'is what a server calls' }]
  if (gems.has('puma')) return { title, command: 'bundle exec puma --bind tcp://0.0.0.0:$PORT config.ru', evidence, warnings }
  return {
    title,
    command: 'bundle exec rackup --host 0.0.0.0 --port $PORT config.ru',
    evidence,
    warnings: gems.has('rackup') || gems.has('rack') ? warnings : [...warnings, 'The Gemfile names no server: add puma.'],
  }
}

function versionOf(folder: Folder, gemfile: string): { file: string; range: string } | null {
  const own = firstVersion(folder.text('.ruby-version') ?? '')
  if (own) return { file: '.ruby-version', range: minorOf(own) }
  const named = /^[ \t]*ruby[ \t]+["']([^"'\n]{1,60})["']/m.exec(gemfile)?.[1]
  return named && firstVersion(named) ? { file: 'Gemfile', range: /^\d/.test(named) ? minorOf(named) : named } : null
}
