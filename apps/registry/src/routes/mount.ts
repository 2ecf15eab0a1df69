/**
 * A blob of another repository, linked instead of uploaded (distribution-spec "Mounting a blob from another repository").
 *
 * Only with read on the source: a digest alone grants nothing. A client that may read the source, but did not ask for it in
 * its token, is told so (401 with both scopes, as Docker's registry does) and comes back; everybody else uploads, and is
 * told the same whether the source is there or not.
 */
import type { IncomingMessage } from 'node:http'
import type { RegistryToken } from '@slipway/contracts'
import { mountBlob, type RepositoryRef, repositoriesWithBlob } from '@slipway/db'
import { isDigest, isRepositoryName } from '@slipway/oci'
import { insufficientScope } from '../auth/challenge'
import { principalOf } from '../auth/principal'
import { catalogScope, grantScopes } from '../auth/scopes'
import { allows, isSystem } from '../auth/verify'
import type { Registry } from '../context'
import { repositoryPath } from '../http/route'

/** Repositories looked at when the client names none: the first that its token covers, or the first of all. */
const MAX_SOURCES = 20

interface MountRequest {
  /** Where the blob shall be. */
  name: string
  digest: string
  /** Null: any repository that the person may read. */
  from: string | null
  token: RegistryToken
}

/** Whether the blob is linked now. False: the client uploads. Throws the challenge. */
export async function mount(
  registry: Registry,
  request: IncomingMessage,
  target: RepositoryRef,
  { name, digest, from, token }: MountRequest,
): Promise<boolean> {
  if (!isDigest(digest)) return false
  const source = from === null ? await anySource(registry, digest, token) : isSource(from) ? from : undefined
  if (source === undefined) return false
  if (!allows(token, source, 'pull')) {
    if (await mayRead(registry, token, source)) {
      throw insufficientScope(request, registry, `repository:${name}:pull,push repository:${source}:pull`)
    }
    return false
  }
  const blob = await mountBlob(registry.db, repositoryPath(source), target.id, digest)
  return blob !== null && (await registry.store.size(digest)) === blob.size
}

const isSource = (from: string) => isRepositoryName(from) && from.includes('/')

/** Tokens of the system are made for what they are needed for, and say all of it. */
const asksForMore = (token: RegistryToken) => token.sub !== '' && !isSystem(token)

async function mayRead({ db }: Registry, token: RegistryToken, source: string): Promise<boolean> {
  if (!asksForMore(token)) return false
  const granted = await grantScopes(db, await principalOf(db, token), [{ type: 'repository', name: source, actions: ['pull'] }])
  return granted.some((access) => access.actions.includes('pull'))
}

async function anySource({ db }: Registry, digest: string, token: RegistryToken): Promise<string | undefined> {
  if (!asksForMore(token)) return undefined
  const scope = catalogScope(await principalOf(db, token))
  if (!scope) return undefined
  const sources = await repositoriesWithBlob(db, scope, digest, MAX_SOURCES)
  return sources.find((source) => allows(token, source, 'pull')) ?? sources[0]
}
