/** What the kinds share: the shape of an answer, and the grammars that a value of a repository must match to be written down. */
import type { Folder } from './tree'

export interface Evidence {
  /** Relative to the folder that the Dockerfile is written for. */
  file: string
  /** `names next`; follows the file's name in a sentence. */
  fact: string
}

export interface Detection {
  /** From the base to the framework: `['Node 20', 'pnpm 9', 'Next.js']`. */
  stack: string[]
  evidence: Evidence[]
  dockerfile: string
  /** Of its instructions, in order: a parser finds exactly these. */
  keywords: string[]
  /** For the context when the repository has no .dockerignore of its own. */
  ignore: string
  /** That the app is told to listen on, as PORT. */
  port: number
  warnings: string[]
  /** Of the app; `''` is the root. */
  folder: string
  /** The folder that the Dockerfile is written for: the workspace's root where the app needs its neighbours. `.` is the root. */
  contextPath: string
}

export interface Refusal {
  refused: string
}

/** `null`: not this kind. A string: this kind, but no Dockerfile can be made, and why. */
export type Verdict = Omit<Detection, 'folder' | 'contextPath'> | string | null
export type Kind = (folder: Folder) => Verdict

/** A relative path that needs no quoting in a Dockerfile, a shell or a JSON text. */
const SAFE_PATH = /^(?:\.\/)?[A-Za-z0-9_@.][A-Za-z0-9_@.-]*(?:\/[A-Za-z0-9_@.-]+)*$/
const SAFE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const SAFE_VERSION = /^\d{1,4}(?:\.\d{1,6}){0,3}$/
const LONGEST = 200

export const isSafePath = (path: string) => path.length <= LONGEST && SAFE_PATH.test(path) && !path.split('/').includes('..')
/** A program, package or module name. */
export const isSafeName = (name: string) => name.length <= LONGEST && SAFE_NAME.test(name)
export const isSafeVersion = (version: string) => version.length <= LONGEST && SAFE_VERSION.test(version)

export const IGNORED = ['.git', '.env', '.env.*', '.dockerignore', 'Dockerfile']
export const ignoreFile = (more: readonly string[]) => `${[...IGNORED, ...more].join('\n')}\n`

/** A value out of a manifest as part of a fact: short, and nothing that a terminal or a log could take for more than text. */
export const shown = (value: string) => value.replace(/[^\x20-\x7e]/g, '?').slice(0, 60)

export const PORT_NODE = 3000
export const PORT_OTHER = 8080
