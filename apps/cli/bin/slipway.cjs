#!/usr/bin/env node
// Runs dist/main.js with what V8 compiled of it before: reading that takes a tenth of the time of compiling it anew. The file of it lies
// beside main.js and is of its size and time, and of this Node; V8 refuses one of another version. Who may not write there does without.
// CommonJS, because the loader of modules takes 10 ms more.
'use strict'
const { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } = require('node:fs')
const { basename, dirname, join } = require('node:path')
const { Script } = require('node:vm')

/** More than there are commands. */
const MOST_WORDS = 40

const NODE = `${process.version}-${process.arch}`

const main = join(__dirname, '../dist/main.js')
// In a fresh clone `npx slipway` comes before the first build.
if (existsSync(main)) start()
else import('../build.mjs').then(start)

function start() {
  const { size, mtimeMs } = statSync(main)
  const file = `${main}.${NODE}-${size}-${Math.round(mtimeMs)}.cache`
  const before = read(file)
  const script = new Script(readFileSync(main, 'utf8'), { filename: main, cachedData: before?.code })
  // Each command compiles functions of its own: after its first run they are among what is kept.
  const word = /^[a-z]{1,16}$/.test(process.argv[2] ?? '') ? process.argv[2] : '-'
  const words = before && !script.cachedDataRejected ? before.words : []
  if (!words.includes(word) && words.length < MOST_WORDS)
    process.once('exit', (code) => code === 0 && write(file, [...words, word], script.createCachedData()))
  run(script.runInThisContext())
}

/** `parts`: name → function of a CommonJS module. */
function run(parts) {
  const loaded = new Map()
  const load = (name) => {
    if (!Object.hasOwn(parts, name)) return require(name)
    let module = loaded.get(name)
    if (!module) {
      module = { exports: {} }
      loaded.set(name, module)
      parts[name](load, module, module.exports)
    }
    return module.exports
  }
  load('./main.js')
}

/** A line of the commands that were run, then V8's data. */
function read(file) {
  try {
    const bytes = readFileSync(file)
    const end = bytes.indexOf(10)
    return { words: bytes.toString('latin1', 0, end).split(' '), code: bytes.subarray(end + 1) }
  } catch {
    return undefined
  }
}

function write(file, words, code) {
  const temporary = `${file}.${process.pid}`
  try {
    writeFileSync(temporary, Buffer.concat([Buffer.from(`${words.join(' ')}\n`), code]))
    renameSync(temporary, file)
    // Of programs that were here before.
    const folder = dirname(file)
    for (const name of readdirSync(folder))
      if (name.startsWith(`main.js.${NODE}-`) && name.endsWith('.cache') && name !== basename(file))
        rmSync(join(folder, name), { force: true })
  } catch {
    rmSync(temporary, { force: true })
  }
}
