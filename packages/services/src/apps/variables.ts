import type { inputs, views } from '@slipway/contracts'
import { AppError, newId } from '@slipway/core'
import { listVariables, replaceVariables, type SealedVariable, type Tx, type Variable } from '@slipway/db'
import type { z } from 'zod'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay, may } from '../roles'
import type { Scope } from '../scope'
import type { AppsService } from '../services'
import { loadApp } from './load'

type VariableInput = z.infer<typeof inputs.variable>

const openVariable = (deps: Pick<Deps, 'sealer'>, { id, organizationId, value }: Variable) =>
  deps.sealer.open(value, { kind: 'variable', organizationId, id })

/** `KEY → value` of one scope, decrypted; for the worker and for a deployment's snapshot. */
export function openVariables(deps: Pick<Deps, 'sealer'>, variables: Variable[], scope: 'build' | 'runtime'): Record<string, string> {
  const wanted = variables.filter((variable) => variable.scope === scope)
  return Object.fromEntries(wanted.map((variable) => [variable.key, openVariable(deps, variable)]))
}

/** Writes exactly these; one without a value keeps the stored one. */
export async function writeVariables(deps: Deps, tx: Tx, scope: Scope, appId: string, variables: VariableInput[]): Promise<void> {
  const { organizationId } = scope
  const stored = new Map((await listVariables(tx, organizationId, appId)).map((row) => [`${row.scope} ${row.key}`, row]))
  const sealed = new Map<string, SealedVariable>()
  for (const { scope: kind, key, value, secret } of variables) {
    const name = `${kind} ${key}`
    const old = stored.get(name)
    if (sealed.has(name)) throw bad('VARIABLE_TWICE', `The ${kind} variable ${key} is given twice. Remove one.`)
    if (value === undefined && !old) throw bad('VARIABLE_EMPTY', `The variable ${key} has no value yet. Enter one.`)
    // A secret must not be read back by calling it no secret.
    if (value === undefined && old?.secret && !secret)
      throw bad('VARIABLE_STAYS_SECRET', `${key} is a secret. Enter its value again to keep it readable from now on.`)
    const id = old?.id ?? newId('variable')
    const bytes =
      value === undefined && old ? Uint8Array.from(old.value) : deps.sealer.seal(value ?? '', { kind: 'variable', organizationId, id })
    sealed.set(name, { id, scope: kind, key, value: bytes, secret })
  }
  await replaceVariables(tx, organizationId, appId, [...sealed.values()])
}

const bad = (code: string, message: string) => new AppError({ kind: 'bad-input', code, message })

export const variableMethods = (deps: Deps): Pick<AppsService, 'variables' | 'setVariables'> => {
  const list = async (scope: Scope, appId: string): Promise<views.VariableView[]> => {
    const rows = await listVariables(deps.db, scope.organizationId, appId)
    const readable = may(scope.role, 'read secrets')
    return rows.map((row) => ({
      scope: row.scope,
      key: row.key,
      value: row.secret || !readable ? null : openVariable(deps, row),
      secret: row.secret,
      updatedAt: row.updatedAt,
    }))
  }
  return {
    variables: async (scope, input) => list(scope, (await loadApp(deps.db, scope, input.app)).id),
    async setVariables(scope, input) {
      assertMay(scope, 'change')
      const app = await loadApp(deps.db, scope, input.app)
      await deps.db.$transaction(async (tx) => {
        await writeVariables(deps, tx, scope, app.id, input.variables)
        // Keys only: values have no place in a log.
        await audit(
          tx,
          scope,
          'app.setVariables',
          { type: 'app', id: app.id, label: app.name },
          { keys: input.variables.map((v) => v.key) },
        )
      })
      announce(deps, { organizationId: scope.organizationId, appId: app.id })
      return list(scope, app.id)
    },
  }
}
