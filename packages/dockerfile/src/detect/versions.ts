/**
 * Which image a stage begins with. An installation makes its own Debian, Node and busybox, which need no internet: they are taken
 * where they hold the version that is asked for, and the language's image of Docker Hub where they do not.
 */
export const OWN = {
  node: 'slipway.local/base/node:20',
  debian: 'slipway.local/base/debian:bookworm',
  busybox: 'slipway.local/base/busybox',
} as const

export const fromHub = (image: string, language: string, have: string) =>
  `${language} comes as ${image} from Docker Hub, which this installation must be able to reach: its own base image has ${have}.`

/** `3.11` of `python-3.11.4`, `v20`, `~> 3.2.1`; null where there is no number. */
export function firstVersion(text: string): string | null {
  return /\d{1,4}(?:\.\d{1,4}){0,2}/.exec(text.slice(0, 200))?.[0] ?? null
}
export const minorOf = (version: string) => version.split('.').slice(0, 2).join('.')

const compare = (a: readonly number[], b: readonly number[]): number => {
  for (let i = 0; i < 3; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
const numbers = (version: string) => version.split('.').map(Number)

/**
 * Whether some `version` (`20`, `3.11`: any patch of it) is in a range as npm, composer, poetry and PEP 440 write them: comparators
 * joined by spaces or commas, alternatives by `||` or `|`. What is not understood does not exclude.
 */
export function allows(range: string, version: string): boolean {
  const alternatives = range.slice(0, 300).split(/\|\|?/)
  return alternatives.some((alternative) => {
    const comparators = [...alternative.matchAll(/(~=|~>|[<>]=?|={1,3}|!=|\^|~)?\s*v?(\d{1,4}(?:\.(?:\d{1,4}|[x*])){0,2})/g)].slice(0, 10)
    return comparators.every(([, operator = '', text = '']) => holds(operator, text.replace(/\.[x*].*$/, ''), version))
  })
}

function holds(operator: string, text: string, version: string): boolean {
  const bound = numbers(text)
  // `version` stands for all its patches: its lowest is itself, its highest just below the next.
  const low = numbers(version)
  const high = [...low, ...Array<number>(3 - low.length).fill(9999)]
  const upTo = (parts: number) => [...bound.slice(0, parts - 1), (bound[parts - 1] ?? 0) + 1]
  const within = (end: readonly number[]) => compare(high, bound) >= 0 && compare(low, end) < 0
  switch (operator) {
    case '>=':
      return compare(high, bound) >= 0
    case '>':
      return compare(high, bound) > 0
    case '<':
      return compare(low, bound) < 0
    case '<=':
      return compare(low, [...bound, ...Array<number>(3 - bound.length).fill(9999)]) <= 0
    case '!=':
      return bound.length > low.length || compare(bound, low) !== 0
    case '^':
      return within(upTo(1))
    case '~=':
    case '~>':
      return within(upTo(Math.max(1, bound.length - 1)))
    case '~':
      return within(upTo(Math.min(2, bound.length)))
    default:
      return within(upTo(bound.length))
  }
}
