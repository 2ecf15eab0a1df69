// How an app becomes one file: the workspace's sources go in, what comes from npm stays in node_modules.
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** @param {string} appUrl import.meta.url of the app's build.mjs */
export const bundle = (appUrl) =>
  build({
    absWorkingDir: fileURLToPath(new URL('.', appUrl)),
    entryPoints: ['src/main.ts'],
    outfile: 'dist/main.js',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [
      {
        name: 'npm-stays-outside',
        setup({ onResolve }) {
          onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === 'entry-point' || path.startsWith('@slipway/') ? undefined : { path, external: true },
          )
        },
      },
    ],
  })
