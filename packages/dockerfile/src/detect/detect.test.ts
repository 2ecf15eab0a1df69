import { describe, expect, it } from 'vitest'
import { checkDockerfile, createIgnoreMatcher, type Detection, detect, parseDockerfile } from '../index'

const tree = (files: Record<string, string>) => ({ names: new Set(Object.keys(files)), texts: new Map(Object.entries(files)) })
const found = (files: Record<string, string>): Detection => {
  const answer = detect(tree(files))
  if ('refused' in answer) throw new Error(answer.refused)
  return answer
}
const refused = (files: Record<string, string>) => {
  const answer = detect(tree(files))
  return 'refused' in answer ? answer.refused : null
}
const pkg = (content: unknown) => ({ 'package.json': JSON.stringify(content), 'package-lock.json': '{}' })
const keywords = (text: string) => parseDockerfile(text).stages.flatMap((stage) => stage.instructions.map(({ kind }) => kind))

describe('what is detected', () => {
  it.each([
    ['Next.js', pkg({ dependencies: { next: '15' }, scripts: { build: 'next build', start: 'next start' } }), '["npm","run","start"]'],
    ['Node.js (express)', pkg({ dependencies: { express: '4' }, scripts: { start: 'node src/server.js' } }), '["node","src/server.js"]'],
    ['Node.js', { ...pkg({}), 'server.js': '' }, '["node","server.js"]'],
    ['Vite (static files)', pkg({ devDependencies: { vite: '6' }, scripts: { build: 'vite build' } }), 'httpd'],
    [
      'FastAPI',
      { 'requirements.txt': 'fastapi==0.1\nuvicorn[standard]\n', 'main.py': '' },
      'exec uvicorn main:app --host 0.0.0.0 --port $PORT',
    ],
    ['Flask', { 'requirements.txt': 'Flask>=3\r\ngunicorn\r\n', 'app.py': '' }, 'exec gunicorn app:app --bind 0.0.0.0:$PORT'],
    ['static files', { 'index.html': '' }, 'httpd'],
  ])('%s, and our own lint finds nothing in the file', (framework, files, command) => {
    const detection = found(files as Record<string, string>)
    expect(detection.framework).toBe(framework)
    expect(detection.dockerfile).toContain(command)
    expect(detection.dockerfile).toContain(`EXPOSE ${detection.port}`)
    expect(keywords(detection.dockerfile)).toContain('USER')
    expect(checkDockerfile(detection.dockerfile, { ignore: createIgnoreMatcher(detection.ignore) })).toEqual([])
  })

  it('installs without a lock file and says what that costs', () => {
    const detection = found({ 'package.json': '{"scripts":{"start":"x"}}' })
    expect(detection.dockerfile).toContain('RUN npm install\n')
    expect(detection.warnings.join()).toContain('package-lock.json')
  })
})

describe('what is refused, with the reason', () => {
  it.each([
    ['nothing', {}, 'Looked for'],
    ['pnpm', { 'package.json': '{}', 'pnpm-lock.yaml': '' }, 'pnpm-lock.yaml'],
    ['workspaces', pkg({ workspaces: ['a'] }), 'workspaces'],
    ['nothing to start', pkg({}), '"start" script'],
    ['broken JSON', { 'package.json': '{' }, 'no JSON object'],
    ['an array', { 'package.json': '[]' }, 'no JSON object'],
    ['a flask that nothing serves', { 'requirements.txt': 'flask', 'app.py': '' }, 'gunicorn'],
    ['python of unknown kind', { 'requirements.txt': 'numpy' }, 'neither flask nor fastapi'],
  ])('%s', (_, files, reason) => expect(refused(files as Record<string, string>)).toContain(reason))
})

describe('hostile manifests', () => {
  const clean = found(pkg({ scripts: { start: 'other' } })).dockerfile
  it.each([
    'node a.js\nRUN evil',
    'node a.js"]\nRUN evil',
    'node a\\',
    'node <<EOF',
    'node $(evil)',
    'node ../../etc/passwd',
    'node /etc/passwd',
    'node --require=x',
    `node ${'a'.repeat(100_000)}`,
    'node \u2028RUN',
  ])('a start script cannot inject an instruction: %j', (start) => {
    expect(found(pkg({ scripts: { start } })).dockerfile).toBe(clean)
  })

  it('keys of the prototype are no scripts and no dependencies', () => {
    const text = '{"__proto__":{"scripts":{"start":"x"}},"constructor":{"workspaces":1}}'
    expect(refused({ 'package.json': text })).toContain('"start" script')
    expect(refused(pkg({ scripts: 'toString', dependencies: ['next'] }))).toContain('"start" script')
  })

  it('a package.json that is nested without end is refused or read, never thrown', () => {
    expect(() => detect(tree({ 'package.json': '['.repeat(500_000) }))).not.toThrow()
    expect(() => detect(tree({ 'package.json': `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}` }))).not.toThrow()
  })
})
