// One file with everything in it, so that `bin/slipway.cjs` needs no node_modules and reads once. It is an object of functions, one for
// each part that esbuild splits the program into: a part runs when a command first asks for it, and most commands ask for few.
// bin/slipway.cjs keeps beside it what V8 made of it, which works for scripts and not for modules: hence CommonJS.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, transform } from 'esbuild'

const folder = fileURLToPath(new URL('.', import.meta.url))
const { outputFiles } = await build({
  absWorkingDir: folder,
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  write: false,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  // What ssh2 is faster with, where somebody compiled it: it goes on without, and we neither compile nor ship it.
  external: ['cpu-features', '*.node'],
  logLevel: 'warning',
})
// `import()` of a part is a call of its function.
const supported = { 'dynamic-import': false }
const parts = await Promise.all(
  outputFiles.map(async ({ path, text }) => {
    const { code } = await transform(text, {
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      minify: true,
      legalComments: 'none',
      supported,
    })
    return `${JSON.stringify(`./${basename(path)}`)}(require,module,exports){${code}}`
  }),
)
// A test has it made elsewhere.
const dist = resolve(process.argv[2] ?? `${folder}/dist`)
rmSync(dist, { recursive: true, force: true })
mkdirSync(dist, { recursive: true })
writeFileSync(`${dist}/main.js`, `({${parts.join(',\n')}})\n`)
