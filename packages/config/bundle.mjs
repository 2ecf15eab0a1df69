// How an app becomes one file: the workspace's sources go in, what comes from npm stays in node_modules. What npm put where
// only another workspace finds it (a version that could not be shared) goes in as well: the file would look for it in vain.
import { existsSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const packageName = (path) =>
  path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
const isWithinReach = (folder, name) =>
  existsSync(join(folder, 'node_modules', name)) || (dirname(folder) !== folder && isWithinReach(dirname(folder), name))

/**
 * @param {string} appUrl import.meta.url of the app's build.mjs
 * @param {Record<string, string>} [more] files of their own besides `main`, such as threads: name → source
 */
export const bundle = (appUrl, more = {}) =>
  build({
    absWorkingDir: fileURLToPath(new URL('.', appUrl)),
    entryPoints: { main: 'src/main.ts', ...more },
    outdir: 'dist',
    bundle: true,
    // What is imported only when it is needed becomes a file of its own, and is loaded only then.
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [
      {
        name: 'npm-stays-outside',
        setup({ onResolve }) {
          const app = fileURLToPath(new URL('.', appUrl))
          onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
            if (kind === 'entry-point' || path.startsWith('@slipway/')) return undefined
            if (isBuiltin(path) || isWithinReach(app, packageName(path))) return { path, external: true }
            return undefined
          })
        },
      },
    ],
  })
