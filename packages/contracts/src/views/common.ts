/** What views of several subjects hold. */
export type { GrantableRole, Role, Visibility } from '@slipway/core'

export interface Page<T> {
  items: T[]
  /** Pass as `cursor` for the next page; null at the end. */
  next: string | null
  total: number
}

export interface CommitView {
  sha: string
  message: string
  author: string | null
  branch: string
  at: Date | null
}

export interface ErrorView {
  code: string
  message: string
  details: { file?: string; line?: number; step?: number; exitCode?: number; lastLines?: string[] } & Record<string, unknown>
}
