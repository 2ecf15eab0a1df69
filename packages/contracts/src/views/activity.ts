/** What the activity page shows. */
export interface AuditView {
  id: string
  actor: string
  action: string
  targetType: string
  targetLabel: string
  /** Where the target is now; null when it is gone or has no page. */
  link: AuditLink | null
  /** More about it in a few words: `from old-name`, `12 tags, 3 images, 1.2 GB`. */
  detail: string | null
  createdAt: Date
}
export type AuditLink =
  | { kind: 'app'; app: string }
  | { kind: 'deployment'; app: string; number: number }
  | { kind: 'build'; app: string; number: number }
  | { kind: 'image'; repository: string; reference: string | null }

export interface AuditFacetsView {
  actors: string[]
  actions: string[]
}
