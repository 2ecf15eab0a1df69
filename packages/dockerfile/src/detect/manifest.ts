/** Reading of manifests: never throws, never trusts a key's type, and keys of the prototype are no keys. */
import { parse as parseTomlText } from 'smol-toml'

export type Values = Record<string, unknown>

const isRecord = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value)

function parsed(read: () => unknown): Values | null {
  try {
    const value = read()
    return isRecord(value) ? value : null
  } catch {
    // Not of that format, or nested deeper than its parser goes.
    return null
  }
}
export const parseJson = (text: string) => parsed(() => JSON.parse(text))
export const parseToml = (text: string) => parsed(() => parseTomlText(text))

const own = (value: unknown, key: string): unknown => (isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined)

/** The table at a path of keys; an empty one where there is none. */
export function table(value: Values, ...path: string[]): Values {
  let at: unknown = value
  for (const key of path) at = own(at, key)
  return isRecord(at) ? at : {}
}
export function string(value: Values, ...path: string[]): string | undefined {
  const key = path.at(-1) ?? ''
  const found = own(table(value, ...path.slice(0, -1)), key)
  return typeof found === 'string' ? found : undefined
}
export function has(value: Values, ...path: string[]): boolean {
  return own(table(value, ...path.slice(0, -1)), path.at(-1) ?? '') !== undefined
}
/** The texts in a list, at most 200; empty where there is no list. */
export function strings(value: Values, ...path: string[]): string[] {
  const found = own(table(value, ...path.slice(0, -1)), path.at(-1) ?? '')
  return Array.isArray(found) ? found.filter((item) => typeof item === 'string').slice(0, 200) : []
}
export function tables(value: Values, ...path: string[]): Values[] {
  const found = own(table(value, ...path.slice(0, -1)), path.at(-1) ?? '')
  return Array.isArray(found) ? found.filter(isRecord).slice(0, 200) : []
}
