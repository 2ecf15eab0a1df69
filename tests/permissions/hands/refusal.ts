import type { Person } from '../table'
import type { World } from '../world'

const codeOf = (error: unknown) => (error as { code?: string }).code ?? String(error)

/**
 * Calls, and tells a refusal from a failure. Who may see the thing is told that the role is too low; to everybody else it does not
 * exist; who has no account is asked to sign in. `done`: codes that only those hear who may.
 */
export async function attempt(
  world: World,
  person: Person,
  sees: boolean,
  call: (api: Awaited<ReturnType<World['caller']>>) => Promise<unknown>,
  done: string[] = [],
): Promise<boolean | string> {
  try {
    const result = await call(await world.caller(person))
    return result !== false
  } catch (error) {
    const code = codeOf(error)
    if (done.includes(code)) return true
    const expected = !world.identities[person] ? 'UNAUTHORIZED' : sees ? 'FORBIDDEN' : 'NOT_FOUND'
    return code === expected ? false : code
  }
}

/** The first item of a subscription. */
export async function firstOf(items: Promise<AsyncIterable<unknown>>): Promise<unknown> {
  const iterator = (await items)[Symbol.asyncIterator]()
  const { value } = await iterator.next()
  void iterator.return?.()
  return value
}
