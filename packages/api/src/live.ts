/**
 * Reads at every tick and yields what differs from the last answer; ends after yielding one for which `over` holds.
 * A row that is gone (deleted meanwhile) ends the stream with the reader's error.
 */
export async function* onlyChanges<T>(
  ticks: AsyncIterable<void>,
  read: () => Promise<T>,
  over: (value: T) => boolean = () => false,
): AsyncGenerator<T, void> {
  let before = ''
  for await (const _ of ticks) {
    const value = await read()
    const now = JSON.stringify(value)
    if (now !== before) yield value
    before = now
    if (over(value)) return
  }
}
