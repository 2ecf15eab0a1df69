// Entries as JSON lines in one file: appended, so that a crash can lose at most the line being written.
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const folder = process.env.DATA ?? '/data'
const file = join(folder, 'entries.jsonl')

export async function listEntries(limit = 50) {
  const text = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const entries = []
  for (const line of text.split('\n')) {
    try {
      if (line) entries.push(JSON.parse(line))
    } catch {
      // cut short by a crash
    }
  }
  return entries.slice(-limit).reverse()
}

export async function addEntry(name, message) {
  await mkdir(folder, { recursive: true })
  const entry = { name, message, at: new Date().toISOString() }
  await appendFile(file, `${JSON.stringify(entry)}\n`)
  return entry
}
