/** Keys that sign the registry's tokens; public halves only leave the process as a key set. */
export interface SigningKeyView {
  /** RFC 7638 thumbprint, as in tokens and in the published key set. */
  kid: string
  signs: boolean
  /** Since when it signs; of one that does not any more: since when. */
  at: Date
  /** Until when what it signed is taken; null for the one that signs. */
  until: Date | null
}

export interface SigningKeysView {
  /** The one that signs first. */
  keys: SigningKeyView[]
}
