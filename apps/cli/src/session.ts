/** What every command works with: streams, colours, the server it talks to and the organization it acts in. */
import { serverUrl } from './address'
import type { Client } from './client'
import { loadConfig, type SavedConfig } from './config'
import type { CliEnv } from './env'
import { CliError, EXIT, usage } from './errors'
import { type Io, json, type Palette, palette } from './output'

export interface GlobalOptions {
  json?: boolean
  url?: string
  org?: string
  color?: boolean
}

interface Connection {
  url: string
  /** For uploads, which are no calls of the client. Goes to `url` only. */
  apiKey: string
  client: Client
}

const DEFAULT_URL = 'http://localhost:3000'

export class Session {
  readonly io: Io
  readonly env: CliEnv
  readonly colors: Palette
  readonly wantsJson: boolean
  /** Fires on Ctrl-C. */
  readonly signal: AbortSignal
  readonly #options: GlobalOptions
  #saved: SavedConfig | null | undefined
  #connected: Connection | undefined

  constructor(io: Io, env: CliEnv, options: GlobalOptions, signal: AbortSignal) {
    this.io = io
    this.env = env
    this.signal = signal
    this.#options = options
    this.wantsJson = options.json === true
    this.colors = palette(io.isTty && !env.noColor && options.color !== false)
  }

  async saved(): Promise<SavedConfig | null> {
    if (this.#saved === undefined) this.#saved = await loadConfig(this.env.configPath)
    return this.#saved
  }

  /** Flag, then environment, then what login saved. */
  async url(): Promise<string> {
    return serverUrl(this.#options.url ?? this.env.url ?? (await this.saved())?.url ?? DEFAULT_URL)
  }

  async connect(): Promise<Connection> {
    if (this.#connected) return this.#connected
    const url = await this.url()
    const saved = await this.saved()
    // A saved key belongs to the server it was saved for and goes to no other.
    const apiKey = this.env.apiKey ?? (saved && saved.url === url ? saved.apiKey : undefined)
    if (!apiKey) {
      throw new CliError(
        EXIT.auth,
        'SIGN_IN_NEEDED',
        `You are not signed in to ${url}.`,
        'Make an API key on the account page, then run slipway login, or set SLIPWAY_API_KEY.',
      )
    }
    const { createClient } = await import('./client')
    this.#connected = { url, apiKey, client: createClient(url, apiKey) }
    return this.#connected
  }

  async client(): Promise<Client> {
    return (await this.connect()).client
  }

  /** `--org`, SLIPWAY_ORG, the one chosen at login, or the only one there is. */
  async org(): Promise<string> {
    const chosen = this.#options.org ?? this.env.organization ?? (this.env.apiKey ? undefined : (await this.saved())?.organization)
    if (chosen) return chosen
    const { organizations } = await (await this.client()).me.get.query()
    const [only, ...others] = organizations
    if (!only) throw new CliError(EXIT.notFound, 'NO_ORGANIZATION', 'You are a member of no organization.', 'Create one in the browser.')
    if (others.length > 0)
      throw usage(`You are in ${organizations.length} organizations.`, `Add --org ${organizations.map((o) => o.slug).join(' or --org ')}.`)
    return only.slug
  }

  get organizationOption(): string | undefined {
    return this.#options.org
  }

  /** JSON for programs or text for people, on stdout. */
  answer(value: unknown, text: () => string): void {
    this.io.out(this.wantsJson ? json(value) : text())
  }

  /** Progress and remarks: stderr, and not at all with --json. */
  note(text: string): void {
    if (!this.wantsJson) this.io.err(`${text}\n`)
  }
}
