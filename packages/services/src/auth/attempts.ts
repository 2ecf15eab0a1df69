/** Failed sign-ins per account, beside better-auth's limit per address: an address header can be forged, an account cannot. */
export class Attempts {
  private readonly failures = new Map<string, number[]>()

  constructor(
    private readonly max: number,
    private readonly windowMs: number,
  ) {}

  private recent(key: string, now: number): number[] {
    return (this.failures.get(key) ?? []).filter((at) => now - at < this.windowMs)
  }

  /** Milliseconds to wait; 0 when another attempt is allowed. */
  waitMs(key: string, now = Date.now()): number {
    const recent = this.recent(key, now)
    const oldest = recent[0]
    return recent.length < this.max || oldest === undefined ? 0 : oldest + this.windowMs - now
  }

  failed(key: string, now = Date.now()): void {
    // Bounded, so that made-up accounts cannot fill the memory; the oldest keys are forgotten first.
    if (this.failures.size >= 10_000) for (const old of [...this.failures.keys()].slice(0, 1000)) this.failures.delete(old)
    const recent = [...this.recent(key, now), now]
    this.failures.delete(key)
    this.failures.set(key, recent)
  }

  succeeded(key: string): void {
    this.failures.delete(key)
  }
}
