import { DockerfileError, type DockerfileErrorInit, type Position } from './errors'
import { LIMITS } from './limits'

/** The text with its name: makes errors that show the line. */
export class Source {
  readonly file: string
  /** Without line ends and without a byte order mark. */
  readonly lines: string[]
  /** Indexes of the lines that end as on Windows. */
  readonly returns = new Set<number>()

  constructor(text: string, file: string) {
    this.file = file
    if (text.length > LIMITS.fileLength) {
      throw new DockerfileError({
        code: 'DOCKERFILE_TOO_LARGE',
        message: `The file is larger than 1 MiB. Move large content into files of the context and COPY them.`,
        file,
      })
    }
    const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
    this.lines = body.split('\n')
    for (let i = 0; i < this.lines.length; i++) {
      const line = this.lines[i] ?? ''
      if (!line.endsWith('\r')) continue
      this.lines[i] = line.replace(/\r+$/, '')
      this.returns.add(i)
    }
    const nul = body.indexOf('\0')
    if (nul !== -1) {
      const before = body.slice(0, nul)
      const line = before.split('\n').length
      throw this.error('NUL_BYTE', 'The file holds a NUL byte, so it is not text. Save it as UTF-8.', {
        line,
        column: nul - before.lastIndexOf('\n'),
      })
    }
  }

  error(code: string, message: string, at?: Position, more: Pick<DockerfileErrorInit, 'hint' | 'cause'> = {}): DockerfileError {
    return new DockerfileError({ code, message, file: this.file, at, source: at ? this.lines[at.line - 1] : undefined, ...more })
  }
}
