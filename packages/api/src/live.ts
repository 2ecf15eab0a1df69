import type { Context } from './context'
import { toTrpcError } from './trpc'

interface Watched {
  ctx: Context & { stillMay: () => Promise<void> }
  path: string
}

/**
 * A subscription's items; what its source throws leaves as the same refusal that a query would give. (A middleware cannot
 * do this: it is over before the first item is asked for.)
 */
export async function* stream<T>({ ctx, path }: Watched, items: AsyncIterable<T>): AsyncGenerator<T, void> {
  try {
    for await (const item of items) {
      // A stream lives for half an hour; who was removed meanwhile gets nothing more of it.
      await ctx.stillMay()
      yield item
    }
  } catch (error) {
    throw toTrpcError(error, path, ctx.log)
  }
}

/**
 * Reads at every tick and yields what differs from the last answer; ends after yielding one for which `over` holds.
 * A row that is gone (deleted meanwhile) ends the stream with the reader's error.
 */
export async function* onlyChanges<T>(
  ticks: AsyncIterable<unknown>,
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
