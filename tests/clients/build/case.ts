/** What a case of the differential test is: a folder, a Dockerfile, and how it is built. */

/** A file of the context: its text, or more. */
export type ContextFile =
  | string
  | {
      text?: string | Buffer
      /** Permission bits; 0644 for a file and 0755 for a directory when left out. */
      mode?: number
      /** Target of a symlink. */
      link?: string
      dir?: true
    }

export interface Case {
  name: string
  dockerfile: string
  files?: Record<string, ContextFile>
  /** Run in the context's folder with `sh -ec` after `files` are written: hard links, pipes, archives. */
  setup?: string
  buildArgs?: Record<string, string>
  target?: string
  /** Both must refuse it. The code that ours says, where it matters. */
  refused?: true | string
  /** A base built first, by each for itself, under the name `BASE` of the Dockerfile. */
  base?: string
  /** What only one of the two builds, and why. */
  only?: { builder: 'ours' | 'theirs'; why: string }
  /** Where ours differs on purpose from a newer BuildKit (`newer.ts`). */
  newer?: { why: string; lines: string[] } | { why: string; only: 'ours' | 'theirs' }
  /** Where ours differs on purpose. */
  differs?: {
    why: string
    /** Lines of the comparison that begin so are expected, all of them; no others are. */
    lines: string[]
  }
}
