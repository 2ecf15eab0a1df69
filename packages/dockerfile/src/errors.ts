import { AppError } from '@slipway/core'

/** 1-based; columns count UTF-16 units, as editors do. */
export interface Position {
  line: number
  column: number
}

export interface DockerfileErrorInit {
  /** SCREAMING_SNAKE, stable. */
  code: string
  /** One sentence without the place; file and line are put before it. */
  message: string
  file: string
  /** Absent when the error is about the file as a whole (it is empty, a target is missing). */
  at?: Position
  /** The whole line as written, for display. */
  source?: string
  /** What to write instead: `Did you mean RUN?` */
  hint?: string
  cause?: unknown
}

const MAX_SOURCE = 300

/** Everything that can be wrong with a Dockerfile or a .dockerignore. `details` holds the same fields for the UI. */
export class DockerfileError extends AppError {
  readonly file: string
  readonly line: number | null
  readonly column: number | null
  readonly source: string | null
  readonly hint: string | null

  constructor(init: DockerfileErrorInit) {
    const place = init.at ? `${init.file}:${init.at.line}` : init.file
    const source = init.source === undefined ? null : init.source.length > MAX_SOURCE ? `${init.source.slice(0, MAX_SOURCE)}…` : init.source
    super({
      kind: 'bad-input',
      code: init.code,
      message: `${place}: ${init.message}${init.hint ? ` ${init.hint}` : ''}`,
      cause: init.cause,
      details: { file: init.file, line: init.at?.line ?? null, column: init.at?.column ?? null, source, hint: init.hint ?? null },
    })
    this.name = 'DockerfileError'
    this.file = init.file
    this.line = init.at?.line ?? null
    this.column = init.at?.column ?? null
    this.source = source
    this.hint = init.hint ?? null
  }
}

/** The error as a compiler prints it: message, the line, and a caret below the column. */
export function formatDockerfileError(error: DockerfileError): string {
  if (error.line === null || error.source === null) return error.message
  const number = String(error.line)
  const before = error.source.slice(0, Math.max(0, (error.column ?? 1) - 1)).replace(/[^\t]/g, ' ')
  return `${error.message}\n ${number} | ${error.source}\n ${' '.repeat(number.length)} | ${before}^`
}

/** Something worth saying that does not stop the build. */
export interface DockerfileWarning {
  /** In the words of `docker build --check` where it has a rule: `MaintainerDeprecated`. */
  rule: string
  message: string
  line: number | null
}
