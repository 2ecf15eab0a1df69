/** What people and programs read. Everything that came from a server passes `plain` before it reaches a terminal. */

import type { Readable } from 'node:stream'

export interface Io {
  out(text: string): void
  /** Bytes to stdout, to their end. */
  outStream(stream: Readable): Promise<void>
  err(text: string): void
  /** stdout is a terminal. */
  isTty: boolean
  columns: number
  /** All of stdin. */
  readInput(): Promise<string>
  /** One line typed without echo; null when there is no terminal to ask. */
  askSecret(question: string): Promise<string | null>
}

export interface Palette {
  dim(text: string): string
  bold(text: string): string
  good(text: string): string
  bad(text: string): string
  busy(text: string): string
}

const paint = (on: boolean, code: number) => (text: string) => (on && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text)
export const palette = (on: boolean): Palette => ({
  dim: paint(on, 2),
  bold: paint(on, 1),
  good: paint(on, 32),
  bad: paint(on, 31),
  busy: paint(on, 33),
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const CONTROL = /\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g
/** A container or a branch name must not move the cursor or set a title: escape sequences and control characters go. */
export const plain = (text: string): string => text.replace(CONTROL, '')

export interface Column<T> {
  title: string
  value(row: T): string
  paint?(text: string, row: T): string
  /** Digits line up on the right. */
  right?: boolean
}

const width = (text: string) => [...text].length

/** Aligned columns under a dim head; nothing is cut, so that output can be piped to other programs. */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[], colors: Palette): string {
  const cells = rows.map((row) => columns.map((column) => plain(column.value(row)).replace(/\s+/g, ' ')))
  const widths = columns.map((column, i) => Math.max(width(column.title), ...cells.map((line) => width(line[i] ?? ''))))
  const pad = (text: string, i: number, right: boolean | undefined) => {
    const space = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(text)))
    if (right) return [space, '']
    return ['', i === columns.length - 1 ? '' : space]
  }
  const line = (texts: string[], paintCell: (text: string, i: number) => string) =>
    texts
      .map((text, i) => {
        const [before, after] = pad(text, i, columns[i]?.right)
        return `${before}${paintCell(text, i)}${after}`
      })
      .join('   ')
      .trimEnd()
  const head = line(
    columns.map((column) => column.title),
    (text) => colors.dim(text),
  )
  const body = cells.map((texts, r) =>
    line(texts, (text, i) => {
      const row = rows[r]
      const { paint: color } = columns[i] ?? {}
      return color && row !== undefined ? color(text, row) : text
    }),
  )
  return `${[head, ...body].join('\n')}\n`
}

/** Labels and values in two columns. */
export function facts(pairs: readonly (readonly [string, string | null | undefined])[], colors: Palette): string {
  const shown = pairs.filter((pair): pair is readonly [string, string] => Boolean(pair[1]))
  const longest = Math.max(0, ...shown.map(([label]) => label.length))
  return shown.map(([label, value]) => `${colors.dim(label.padEnd(longest))}  ${plain(value)}\n`).join('')
}

/** `12,345`; the languages that `toLocaleString` loads take 25 ms. */
export const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',')

export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
