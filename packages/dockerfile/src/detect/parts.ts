/** What the kinds share: the shape of an answer, and the words of the files. */
export interface Detection {
  framework: string
  /** What was found, for people: "package.json names next". */
  reasons: string[]
  dockerfile: string
  /** For the context when the repository has no .dockerignore of its own. */
  ignore: string
  port: number
  warnings: string[]
}

/** `null`: not this kind. A string: this kind, but no Dockerfile can be made, and why. */
export type Verdict = Detection | string | null

/** The names at the root of the context, and the texts of those in `MANIFESTS`. */
export interface Tree {
  names: ReadonlySet<string>
  texts: ReadonlyMap<string, string>
}

/** A relative path that needs no quoting anywhere in a Dockerfile. */
export const SAFE_FILE = /^(?:\.\/)?[A-Za-z0-9_][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*$/

export const IGNORE = ['.git', '.env', '.env.*', '.dockerignore', 'Dockerfile'].join('\n')

export function header(framework: string): string {
  return `# Made by Slipway for ${framework}. Commit it as Dockerfile to change it: the repository's own file always wins.\n`
}
