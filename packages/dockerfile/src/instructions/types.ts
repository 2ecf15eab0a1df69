import type { Position } from '../errors'
import type { Heredoc } from '../heredoc'
import type { LogicalLine } from '../lexer'
import type { Source } from '../source'
import type { Word } from '../words'
import type { MountFlag } from './mount'

export interface Range {
  start: Position
  /** Exclusive. */
  end: Position
}

/** What every instruction knows of its place. */
export interface Place {
  /** Upper case: `COPY`. */
  keyword: string
  /** The logical line as written, trimmed. */
  original: string
  /** In the Dockerfile. Of a trigger: its FROM. */
  range: Range
  /** To turn a word's offset into line and column of `source`: the Dockerfile, or a trigger. */
  line: LogicalLine
  source: Source
}

/** Shell form is one string for the SHELL; exec form is the argv itself. */
export type CommandLine = { form: 'shell'; text: string } | { form: 'exec'; args: string[] }

export interface KeyValue {
  key: Word
  value: Word
  /** `ENV key value` */
  legacy: boolean
}

export interface Healthcheck {
  /** null: HEALTHCHECK NONE */
  command: CommandLine | null
  /** Nanoseconds; absent: Docker's default. */
  interval?: number
  timeout?: number
  startPeriod?: number
  startInterval?: number
  retries?: number
}

export type FromInstruction = Place & {
  kind: 'FROM'
  image: Word
  platform: Word | null
  /** Lower case. */
  name: string | null
}
export type RunInstruction = Place & {
  kind: 'RUN'
  command: CommandLine
  heredocs: Heredoc[]
  mounts: MountFlag[]
  network: 'default' | 'none' | 'host'
  /** --security=insecure */
  insecure: boolean
}
export type CopyInstruction = Place & {
  kind: 'COPY' | 'ADD'
  sources: Word[]
  /** `COPY <<name`: files whose content stands in the Dockerfile. */
  inline: Heredoc[]
  dest: Word
  /** As written: stage name, stage index or image. Never expanded, as in Docker. */
  from: Word | null
  chown: Word | null
  chmod: Word | null
  link: boolean
  /** ADD --unpack; null: not given, archives of the build context are unpacked and those behind URLs are not. */
  unpack: boolean | null
  /** Of the file behind a URL, or the commit of a Git repository. */
  checksum: Word | null
  parents: boolean
  exclude: Word[]
  /** ADD of a Git repository: with its `.git`. */
  keepGitDir: boolean
}
export type WorkdirInstruction = Place & { kind: 'WORKDIR'; value: Word }
export type ArgInstruction = Place & { kind: 'ARG'; args: { key: Word; value: Word | null }[] }

export type Instruction =
  | FromInstruction
  | RunInstruction
  | CopyInstruction
  | ArgInstruction
  | (Place & { kind: 'ENV' | 'LABEL'; pairs: KeyValue[] })
  | WorkdirInstruction
  | (Place & { kind: 'USER' | 'STOPSIGNAL' | 'MAINTAINER'; value: Word })
  | (Place & { kind: 'CMD' | 'ENTRYPOINT'; command: CommandLine })
  | (Place & { kind: 'EXPOSE'; ports: Word[] })
  | (Place & { kind: 'VOLUME'; paths: Word[] })
  | (Place & { kind: 'SHELL'; shell: string[] })
  | (Place & { kind: 'HEALTHCHECK'; check: Healthcheck })
  | (Place & { kind: 'ONBUILD'; trigger: string })

/** What may stand in a stage after its FROM. */
export type StageInstruction = Exclude<Instruction, FromInstruction>

export interface Stage {
  index: number
  from: FromInstruction
  instructions: StageInstruction[]
}
