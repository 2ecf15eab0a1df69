import { header, IGNORE, type Tree, type Verdict } from './parts'

const BASE = 'slipway.local/base/debian:bookworm'

export function python({ names, texts }: Tree): Verdict {
  const text = texts.get('requirements.txt')
  if (text === undefined) return null
  const packages = new Set(text.split('\n').map((line) => /^[A-Za-z0-9._-]+/.exec(line)?.[0].toLowerCase()))
  const framework = packages.has('fastapi') ? 'FastAPI' : packages.has('flask') ? 'Flask' : null
  const file = ['main.py', 'app.py'].find((name) => names.has(name))
  const server = framework === 'FastAPI' ? 'uvicorn' : 'gunicorn'
  if (!framework) return 'requirements.txt names neither flask nor fastapi, so how to start is not known. Commit a Dockerfile.'
  if (!file) return `Found ${framework}, but neither main.py nor app.py with an object "app". Add one, or commit a Dockerfile.`
  if (!packages.has(server))
    return `Found ${framework}, but requirements.txt names no ${server} to serve it. Add it, or commit a Dockerfile.`

  const object = `${file.slice(0, -'.py'.length)}:app`
  const command = server === 'uvicorn' ? `uvicorn ${object} --host 0.0.0.0 --port` : `gunicorn ${object} --bind 0.0.0.0:`
  return {
    framework,
    reasons: ['found requirements.txt', `requirements.txt names ${framework.toLowerCase()} and ${server}`, `found ${file}`],
    port: 8000,
    ignore: `${IGNORE}\n.venv\nvenv\n**/__pycache__\n`,
    warnings: [],
    dockerfile: [
      header(framework),
      '# Stage 1: the packages, in a virtual environment that can be copied as a whole.',
      `FROM ${BASE} AS build`,
      'RUN apt-get update \\',
      ' && apt-get install -y --no-install-recommends python3 python3-venv \\',
      ' && rm -rf /var/lib/apt/lists/*',
      'RUN python3 -m venv /venv',
      '# The manifest first: packages are installed again only when it changes.',
      'COPY requirements.txt ./',
      'RUN /venv/bin/pip install --no-cache-dir -r requirements.txt',
      '',
      '# Stage 2: what runs, without pip’s tools for building.',
      `FROM ${BASE}`,
      'RUN apt-get update \\',
      ' && apt-get install -y --no-install-recommends python3 \\',
      ' && rm -rf /var/lib/apt/lists/*',
      'ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PORT=8000',
      'WORKDIR /app',
      'COPY --from=build /venv /venv',
      'COPY . .',
      'USER 1000',
      'EXPOSE 8000',
      '# exec: the server itself gets the signals that stop a container.',
      `CMD ["sh", "-c", "exec ${command}${server === 'uvicorn' ? ' ' : ''}$PORT"]`,
      '',
    ].join('\n'),
  }
}
