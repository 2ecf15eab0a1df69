#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = new URL('../dist/main.js', import.meta.url)
// In a fresh clone `npx slipway` comes before the first build.
if (!existsSync(fileURLToPath(main))) await import('../build.mjs')
await import(main.href)
