/** Python: pip, Poetry, uv and Pipenv; Django, FastAPI, Flask, Streamlit, or whatever a Procfile starts. */
import { type Evidence, ignoreFile, isSafeName, isSafePath, type Kind, shown } from './detection'
import { has, parseToml, string, strings, table } from './manifest'
import { procfileWeb } from './procfile'
import { apt, Sheet, USER } from './sheet'
import type { Folder } from './tree'
import { allows, firstVersion, fromHub, minorOf, OWN } from './versions'

const PORT = 8000
/** Debian’s own. */
const DEBIAN_PYTHON = '3.11'

interface Project {
  manager: 'pip' | 'Poetry' | 'uv' | 'Pipenv'
  /** Files that say what to install. */
  files: string[]
  /** Names of what is installed, lower case. */
  packages: ReadonlySet<string>
  evidence: Evidence[]
  /** `>=3.11`, and where that is written. */
  python: { file: string; range: string } | null
}

export const python: Kind = (folder) => {
  const project = projectOf(folder)
  if (project === null) return null
  const start = startOf(folder, project)
  if (typeof start === 'string') return start
  const warnings = [...start.warnings]
  const asked = project.python
  const local = !asked || allows(asked.range, DEBIAN_PYTHON)
  const wanted = local ? DEBIAN_PYTHON : minorOf(firstVersion(asked.range) ?? DEBIAN_PYTHON)
  const base = local ? OWN.debian : `python:${wanted}-slim-bookworm`
  if (project.manager === 'pip' && folder.has('pdm.lock'))
    warnings.push('pdm.lock is not read: pip installs what pyproject.toml lists, in the newest versions that it allows.')
  if (!local) warnings.push(fromHub(base, 'Python', `Python ${DEBIAN_PYTHON}`))
  const libraries = systemPackages(project.packages)
  const stack = [`Python ${wanted}`, project.manager, start.title]

  const sheet = new Sheet(stack.join(', ')).stage(
    'Stage 1: the packages, in a virtual environment that can be copied as a whole.',
    base,
    'build',
  )
  const tools = [...(local ? ['python3', 'python3-venv'] : []), ...libraries.build]
  if (tools.length > 0) sheet.run(apt(tools))
  sheet.run([`${local ? 'python3' : 'python'} -m venv /venv`]).workdir('/app')
  install(project, sheet, start.also)
  sheet.stage('Stage 2: what runs, without the tools for building.', base)
  const run = [...(local ? ['python3'] : []), ...libraries.run]
  if (run.length > 0) sheet.run(apt(run))
  // biome-ignore lint/suspicious/noTemplateCurlyInString: of the Dockerfile
  sheet.env({ PATH: '/venv/bin:${PATH}', PYTHONUNBUFFERED: '1', PORT: String(PORT) })
  sheet.workdir('/app').copy(['/venv'], '/venv', { from: 'build' }).copy(['.'], '.')
  if (start.prepare) sheet.comment(...start.prepare.why).run([start.prepare.command])
  sheet.user(USER).expose(PORT).shellCmd(start.command)
  return {
    stack,
    evidence: [
      ...project.evidence,
      ...(asked ? [{ file: asked.file, fact: `asks for Python ${shown(asked.range)}` }] : []),
      ...start.evidence,
    ],
    ...sheet.made(),
    ignore: ignoreFile(['.venv', 'venv', '**/__pycache__', '**/*.pyc']),
    port: PORT,
    warnings,
  }
}

/** `Flask[async]>=3 ; python_version…` → `flask` */
const nameOf = (requirement: string) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}/.exec(requirement.trim())?.[0].toLowerCase().replaceAll('_', '-')
const namesOf = (requirements: readonly string[]) => new Set(requirements.flatMap((line) => nameOf(line) ?? []))

function projectOf(folder: Folder): Project | null {
  const versionFile = folder.first(['.python-version', 'runtime.txt'])
  const version = versionFile ? firstVersion(folder.text(versionFile) ?? '') : null
  const exact = versionFile && version ? { file: versionFile, range: minorOf(version) } : null

  const pyproject = folder.text('pyproject.toml')
  const values = pyproject === undefined ? null : parseToml(pyproject)
  if (values && (has(values, 'project', 'dependencies') || has(values, 'tool', 'poetry', 'dependencies') || folder.has('uv.lock'))) {
    const poetry = has(values, 'tool', 'poetry') || folder.has('poetry.lock')
    const uv = folder.has('uv.lock')
    const packages = namesOf([
      ...strings(values, 'project', 'dependencies'),
      ...Object.keys(table(values, 'tool', 'poetry', 'dependencies')),
    ])
    const range = string(values, 'project', 'requires-python') ?? string(values, 'tool', 'poetry', 'dependencies', 'python')
    const lock = uv ? 'uv.lock' : poetry && folder.has('poetry.lock') ? 'poetry.lock' : null
    return {
      manager: uv ? 'uv' : poetry ? 'Poetry' : 'pip',
      files: ['pyproject.toml', ...(lock ? [lock] : [])],
      packages,
      evidence: [{ file: 'pyproject.toml', fact: 'describes the project' }, ...(lock ? [{ file: lock, fact: 'locks the versions' }] : [])],
      python: exact ?? (range && firstVersion(range) ? { file: 'pyproject.toml', range } : null),
    }
  }
  const pipfile = folder.text('Pipfile')
  const pip = pipfile === undefined ? null : parseToml(pipfile)
  if (pip) {
    const range = string(pip, 'requires', 'python_version') ?? string(pip, 'requires', 'python_full_version')
    const locked = folder.has('Pipfile.lock')
    return {
      manager: 'Pipenv',
      files: ['Pipfile', ...(locked ? ['Pipfile.lock'] : [])],
      packages: namesOf(Object.keys(table(pip, 'packages'))),
      evidence: [
        { file: 'Pipfile', fact: 'describes the project' },
        ...(locked ? [{ file: 'Pipfile.lock', fact: 'locks the versions' }] : []),
      ],
      python: exact ?? (range && firstVersion(range) ? { file: 'Pipfile', range: minorOf(firstVersion(range) ?? '') } : null),
    }
  }
  const requirements = folder.text('requirements.txt')
  if (requirements === undefined) return null
  return {
    manager: 'pip',
    files: ['requirements.txt'],
    packages: namesOf(requirements.split('\n').slice(0, 2000)),
    evidence: [{ file: 'requirements.txt', fact: 'names what to install' }],
    python: exact,
  }
}

/** Poetry and uv bring lists of authorities of their own; those that the base image knows (a company's own among them) are here. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'

/** Into /venv. `also`: a server that the project does not name. */
function install({ manager, files }: Project, sheet: Sheet, also: string[]): void {
  const caches = ['/root/.cache']
  const pip = '/venv/bin/pip install'
  const locked = files.length > 1
  sheet.comment('What is to be installed first: packages are installed again only when it changes. The cache keeps the downloads.')
  if (manager === 'pip' && files[0] === 'requirements.txt') sheet.copy(files, './').run([`${pip} -r requirements.txt`], { caches })
  else if (manager === 'Poetry') {
    sheet.run(['python3 -m venv /opt/poetry', '/opt/poetry/bin/pip install poetry'], { caches })
    sheet.env({ VIRTUAL_ENV: '/venv', REQUESTS_CA_BUNDLE: AUTHORITIES }).copy(files, './')
    sheet.run([`/opt/poetry/bin/poetry install --only main --no-root --no-interaction`], { caches })
  } else if (manager === 'uv') {
    sheet.run(['python3 -m venv /opt/uv', '/opt/uv/bin/pip install uv'], { caches })
    sheet.env({ UV_PROJECT_ENVIRONMENT: '/venv', UV_LINK_MODE: 'copy', SSL_CERT_FILE: AUTHORITIES })
    sheet.copy(files, './')
    sheet.run(['/opt/uv/bin/uv sync --frozen --no-dev --no-install-project'], { caches })
  } else if (manager === 'Pipenv') {
    sheet.run(['python3 -m venv /opt/pipenv', '/opt/pipenv/bin/pip install pipenv'], { caches })
    sheet.env({ VIRTUAL_ENV: '/venv', PIPENV_VERBOSITY: '-1' }).copy(files, './')
    sheet.run([locked ? '/opt/pipenv/bin/pipenv sync' : '/opt/pipenv/bin/pipenv install --skip-lock'], { caches })
  } else {
    // pip knows no way to install a project's dependencies without the project.
    sheet.comment('Of a pyproject.toml without a lock file, pip is handed the list of its dependencies.').copy(files, './')
    const list = `import tomllib; print('\\\\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project'].get('dependencies', [])))`
    sheet.run([`/venv/bin/python -c "${list}" > /tmp/dependencies.txt`, `${pip} -r /tmp/dependencies.txt`], { caches })
  }
  if (also.length > 0) sheet.comment('The server; the project does not name one.').run([`${pip} ${also.join(' ')}`], { caches })
}

interface Start {
  title: string
  evidence: Evidence[]
  command: string
  also: string[]
  warnings: string[]
  prepare?: { why: string[]; command: string }
}

const FILES = ['main.py', 'app.py', 'application.py', 'server.py', 'asgi.py', 'wsgi.py']
const PLACES = ['', 'app/', 'src/', 'src/app/', 'api/', 'backend/']

function startOf(folder: Folder, { packages, manager }: Project): Start | string {
  const server = (name: string): Pick<Start, 'also' | 'warnings'> =>
    packages.has(name)
      ? { also: [], warnings: [] }
      : {
          also: [name],
          warnings: [`${name} serves the app and is not among its packages: its newest version is installed. Add it to fix the version.`],
        }

  const procfile = procfileWeb(folder)
  if (procfile)
    return {
      title: frameworkName(packages) ?? 'Procfile',
      evidence: [procfile.evidence],
      command: procfile.command,
      also: [],
      warnings: [],
    }

  if (folder.has('manage.py') && (packages.has('django') || /django/i.test(folder.text('manage.py') ?? ''))) {
    const wsgi = folder.below().find((file) => /^(?:[^/]+\/){1,2}wsgi\.py$/.test(file))
    const module = wsgi?.slice(0, -'.py'.length).replaceAll('/', '.')
    if (!wsgi || !module || !isModule(module))
      return 'Found Django (manage.py), but no wsgi.py in a package beside it. Add one, or commit a Dockerfile.'
    const settings = folder.below().find((file) => file.endsWith('settings.py'))
    const collects = packages.has('whitenoise') && /^STATIC_ROOT\s*=/m.test(folder.text(settings ?? '') ?? '')
    const known = server('gunicorn')
    return {
      title: 'Django',
      evidence: [
        { file: 'manage.py', fact: 'belongs to Django' },
        { file: wsgi, fact: 'is what a server calls' },
      ],
      command: `gunicorn ${module} --bind 0.0.0.0:$PORT`,
      also: known.also,
      warnings: [...known.warnings, 'Migrations are not run by the build: run manage.py migrate where the database is reached.'],
      ...(collects && {
        prepare: {
          why: ['Static files are gathered into the image; the key is needed to read the settings, and is nobody’s secret.'],
          command: 'SECRET_KEY=only-to-build DJANGO_SECRET_KEY=only-to-build python manage.py collectstatic --noinput',
        },
      }),
    }
  }

  const framework = frameworkName(packages)
  const found = framework === null ? null : objectOf(folder, framework)
  if (framework === 'Streamlit') {
    const file = folder.first(['streamlit_app.py', 'app.py', 'main.py'])
    if (!file) return 'Found Streamlit, but none of streamlit_app.py, app.py and main.py. Add one, or commit a Dockerfile.'
    return {
      title: framework,
      evidence: [{ file, fact: 'is what Streamlit runs' }],
      command: `streamlit run ${file} --server.address 0.0.0.0 --server.port $PORT --server.headless true`,
      also: [],
      warnings: [],
    }
  }
  if (framework && found) {
    const asgi = framework !== 'Flask'
    const known = server(asgi ? 'uvicorn' : 'gunicorn')
    const object = found.factory ? (asgi ? `--factory ${found.object}` : `'${found.object}()'`) : found.object
    return {
      title: framework,
      evidence: [
        {
          file:
            manager === 'Pipenv' ? 'Pipfile' : manager === 'pip' && folder.has('requirements.txt') ? 'requirements.txt' : 'pyproject.toml',
          fact: `names ${framework.toLowerCase()}`,
        },
        { file: found.file, fact: found.factory ? `makes the app in ${found.name}()` : `holds the app as ${found.name}` },
      ],
      command: asgi ? `uvicorn ${object} --host 0.0.0.0 --port $PORT` : `gunicorn ${object} --bind 0.0.0.0:$PORT`,
      ...known,
    }
  }
  if (framework)
    return `Found ${framework}, but no file with its app (looked for ${FILES.join(', ')} here and in app, src, api and backend). Add one, or commit a Dockerfile.`
  const script = folder.first(['main.py', 'app.py', 'server.py'])
  if (!script)
    return 'Found Python, but neither Django, FastAPI, Flask nor Streamlit, nor a main.py or a Procfile: how to start is not known. Add a Procfile, or commit a Dockerfile.'
  return {
    title: `python ${script}`,
    evidence: [{ file: script, fact: 'is there to be started' }],
    command: `python ${script}`,
    also: [],
    warnings: [`${script} is started as it is: it has to listen on the port that PORT names.`],
  }
}

function frameworkName(packages: ReadonlySet<string>): 'FastAPI' | 'Flask' | 'Starlette' | 'Streamlit' | null {
  if (packages.has('fastapi')) return 'FastAPI'
  if (packages.has('flask')) return 'Flask'
  if (packages.has('starlette')) return 'Starlette'
  return packages.has('streamlit') ? 'Streamlit' : null
}

const isModule = (name: string) => name.split('.').every((part) => isSafeName(part) && !part.includes('-'))

/** The app's object: `app = FastAPI(…)` at the start of a line, else a function `create_app`. */
function objectOf(folder: Folder, framework: string): { file: string; object: string; name: string; factory: boolean } | null {
  const packages = folder.below().filter((file) => /^[^/]+\/__init__\.py$/.test(file))
  const candidates = [...PLACES.flatMap((place) => FILES.map((file) => place + file)), ...packages].filter(
    (file) => folder.has(file) && isSafePath(file),
  )
  let factory: { file: string; object: string; name: string; factory: boolean } | null = null
  for (const file of candidates) {
    const text = (folder.text(file) ?? '').slice(0, 100_000)
    const module = file.replace(/(?:\/__init__)?\.py$/, '').replaceAll('/', '.')
    if (!isModule(module)) continue
    const name = new RegExp(`^([A-Za-z_]\\w{0,60})(?:\\s*:[^=\\n]{1,60})?\\s*=\\s*(?:\\w{1,30}\\.)?${framework}\\(`, 'm').exec(text)?.[1]
    if (name) return { file, object: `${module}:${name}`, name, factory: false }
    const call = /^([A-Za-z_]\w{0,60})\s*=\s*create_app\(\s*\)/m.exec(text)?.[1]
    if (call) return { file, object: `${module}:${call}`, name: call, factory: false }
    if (/^def create_app\(\s*[^)\n]*\)/m.test(text)) factory ??= { file, object: `${module}:create_app`, name: 'create_app', factory: true }
  }
  return factory
}

/** Debian packages that known bindings are compiled against and need when they run. */
function systemPackages(packages: ReadonlySet<string>): { build: string[]; run: string[] } {
  const build: string[] = []
  const run: string[] = []
  const need = (names: string[], toBuild: string[], toRun: string[]) => {
    if (!names.some((name) => packages.has(name))) return
    build.push('gcc', 'libc6-dev', 'python3-dev', ...toBuild)
    run.push(...toRun)
  }
  need(['psycopg2'], ['libpq-dev'], ['libpq5'])
  if (packages.has('psycopg') && !packages.has('psycopg-binary')) run.push('libpq5')
  need(['mysqlclient'], ['default-libmysqlclient-dev', 'pkg-config'], ['libmariadb3'])
  need(['uwsgi', 'pycairo', 'python-ldap', 'pyodbc'], [], [])
  return { build, run }
}
