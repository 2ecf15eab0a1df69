/**
 * A Dockerfile that is being written. Each method writes exactly one instruction, anything that could begin another one is
 * refused, and `keywords` is what a parser must find: so a value from a manifest can never become an instruction.
 */
export class Sheet {
  readonly #keywords: string[] = []
  readonly #lines: string[] = []

  constructor(title: string) {
    this.comment(`Made by Slipway for ${title}. It is yours to change: keep it with the app, or commit it.`)
  }

  comment(...texts: string[]): this {
    for (const text of texts) this.#write(`# ${text}`)
    return this
  }

  /** A blank line and what the stage is for. */
  stage(why: string, image: string, name?: string): this {
    this.#write('')
    this.comment(why)
    return this.#instruction('FROM', name ? `${image} AS ${name}` : image)
  }

  run(commands: readonly string[], options: { caches?: readonly string[] } = {}): this {
    const mounts = (options.caches ?? []).map((target) => `--mount=type=cache,target=${target}`)
    if (mounts.length + commands.length === 0) return this
    const [first = '', ...rest] = commands
    const oneLine = [...mounts, first].join(' ')
    const lines = mounts.length > 0 && oneLine.length > 100 ? [...mounts, first] : [oneLine]
    return this.#instruction('RUN', ...lines, ...rest.map((command) => `&& ${command}`))
  }

  copy(sources: readonly string[], target: string, options: { from?: string; chown?: string } = {}): this {
    const flags = [...(options.from ? [`--from=${options.from}`] : []), ...(options.chown ? [`--chown=${options.chown}`] : [])]
    return this.#instruction('COPY', [...flags, ...sources, target].join(' '))
  }

  /** A text file made here. Our own words only. */
  file(target: string, lines: readonly string[], options: { chown?: string } = {}): this {
    this.#instruction('COPY', `${options.chown ? `--chown=${options.chown} ` : ''}<<'EOF' ${target}`)
    for (const line of lines) this.#write(line)
    this.#write('EOF')
    return this
  }

  env(values: Record<string, string>): this {
    return this.#instruction(
      'ENV',
      Object.entries(values)
        .map(([key, value]) => `${key}=${/[\s"'\\]/.test(value) ? JSON.stringify(value) : value}`)
        .join(' '),
    )
  }

  workdir(path: string): this {
    return this.#instruction('WORKDIR', path)
  }

  user(user: string): this {
    return this.#instruction('USER', user)
  }

  expose(port: number): this {
    return this.#instruction('EXPOSE', String(port))
  }

  cmd(argv: readonly string[]): this {
    return this.#instruction('CMD', `[${argv.map((word) => JSON.stringify(word)).join(', ')}]`)
  }

  /** `exec`: the program itself gets the signals that stop a container. The shell is there for $PORT. */
  shellCmd(command: string): this {
    this.comment('exec: the server itself, not the shell, gets the signal that stops a container.')
    return this.cmd(['sh', '-c', `exec ${command}`])
  }

  made(): { dockerfile: string; keywords: string[] } {
    return { dockerfile: `${this.#lines.join('\n')}\n`, keywords: [...this.#keywords] }
  }

  #instruction(keyword: string, ...lines: string[]): this {
    this.#keywords.push(keyword)
    lines.forEach((line, i) => {
      this.#write(`${i === 0 ? `${keyword} ` : '    '}${line}${i === lines.length - 1 ? '' : ' \\'}`)
    })
    return this
  }

  #write(line: string): void {
    if (/[\p{Cc}\u2028\u2029]/u.test(line)) throw new Error(`a line of a Dockerfile with a control character: ${JSON.stringify(line)}`)
    this.#lines.push(line)
  }
}

/** The user that apps run as; it needs no entry in the image's passwd. */
export const USER = '1000'
export const OWNER = '1000:1000'

/** One RUN that installs Debian packages and leaves no lists behind. */
export const apt = (packages: readonly string[]): string[] => [
  'apt-get update',
  `apt-get install -y --no-install-recommends ${[...new Set(packages)].sort().join(' ')}`,
  'rm -rf /var/lib/apt/lists/*',
]
