/** A start that cannot go on, told to the person at the terminal: what is wrong, and what to do about it. */
export class StartError extends Error {
  /**
   * @param {string} message one sentence: what is wrong
   * @param {{ hint?: string, detail?: string, cause?: unknown }} [more] hint: what to do; detail: last lines of a log
   */
  constructor(message, { hint, detail, cause } = {}) {
    super(message, { cause })
    this.name = 'StartError'
    this.hint = hint
    this.detail = detail
  }
}
