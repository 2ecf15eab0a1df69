// What the engine reaches the database through: Prisma's adapter for node-postgres, with the corrections the engine needs.
import { PrismaPg } from '@prisma/adapter-pg'
import { ColumnTypeEnum, mockAdapter } from '@prisma/driver-adapter-utils'
import Result from 'pg/lib/result.js'
import { administer, readUrl } from './connection.mjs'

const OID_INTERNAL_CHAR = 18
const OID_BPCHAR = 1042

/**
 * The adapter has no mapping for the one-byte type "char" that catalog queries return, and refuses it. It is read as `bpchar`,
 * and marked, because where a column of it decides something (kinds of constraints) the engine insists on a single character.
 */
export function readInternalChar() {
  const addFields = Result.prototype.addFields
  Result.prototype.addFields = function (fields) {
    for (const field of fields) {
      if (field.dataTypeID !== OID_INTERNAL_CHAR) continue
      field.dataTypeID = OID_BPCHAR
      field.internalChar = true
    }
    return addFields.call(this, fields)
  }
}

/** Gives the marked columns of an adapter's answers the type of a single character. */
function typeInternalChar(adapter) {
  const marks = new WeakMap()
  const performIO = adapter.performIO.bind(adapter)
  const queryRaw = adapter.queryRaw.bind(adapter)
  adapter.performIO = async (query) => {
    const result = await performIO(query)
    marks.set(result.rows, result.fields)
    return result
  }
  adapter.queryRaw = async (query) => {
    const answer = await queryRaw(query)
    const fields = marks.get(answer.rows) ?? []
    // An empty one stands for the byte 0 and is no character: such a column stays text.
    const isCharacter = (index) => fields[index]?.internalChar && answer.rows.every((row) => row[index] === null || row[index].length === 1)
    return { ...answer, columnTypes: answer.columnTypes.map((type, index) => (isCharacter(index) ? ColumnTypeEnum.Character : type)) }
  }
}

/** For a diff between schema files the engine asks the server's version and nothing else. */
export function offlineFactory() {
  const connect = async () => ({
    ...mockAdapter('postgres'),
    queryRaw: async () => ({
      columnNames: ['exists', 'version', 'numeric_version'],
      columnTypes: [ColumnTypeEnum.Boolean, ColumnTypeEnum.Text, ColumnTypeEnum.Int32],
      rows: [[true, 'PostgreSQL 15.0', 150000]],
    }),
    executeRaw: async () => 0,
    executeScript: async () => undefined,
    dispose: async () => undefined,
  })
  return { provider: 'postgres', adapterName: 'offline', connect, connectToShadowDb: connect }
}

/**
 * @param {string} url @param {string | undefined} shadowUrl a database the person set aside; otherwise one is made and dropped
 * @returns {{ factory: object, closeAll: () => Promise<void> }}
 */
export function postgresFactory(url, shadowUrl) {
  const opened = []

  async function open({ config, schema }, afterDispose) {
    const adapter = await new PrismaPg(config, { schema }).connect()
    typeInternalChar(adapter)
    // The adapter's own splits at every `;`, which cuts $$ bodies in two. Postgres takes a whole script as it is.
    adapter.executeScript = async (script) => {
      try {
        await adapter.client.query(script)
      } catch (error) {
        adapter.onError(error)
      }
    }
    // The engine disposes and so do we, whatever comes first; a shadow database is dropped once.
    const dispose = adapter.dispose.bind(adapter)
    let disposed
    adapter.dispose = () => {
      disposed ??= dispose().then(() => afterDispose?.())
      return disposed
    }
    opened.push(adapter)
    return adapter
  }

  // The adapter's own way would connect to the main database again when it was given a connection string.
  async function connectToShadowDb() {
    if (shadowUrl) {
      const shadow = readUrl(shadowUrl)
      const adapter = await open(shadow)
      await adapter.executeScript(`DROP SCHEMA IF EXISTS "${shadow.schema}" CASCADE; CREATE SCHEMA "${shadow.schema}"`)
      return adapter
    }
    const database = `prisma_migrate_shadow_db_${crypto.randomUUID()}`
    await administer(url, `CREATE DATABASE "${database}"`)
    const { config, schema } = readUrl(url)
    return open({ config: { ...config, database }, schema }, () => administer(url, `DROP DATABASE IF EXISTS "${database}" WITH (FORCE)`))
  }

  return {
    factory: { provider: 'postgres', adapterName: '@prisma/adapter-pg', connect: () => open(readUrl(url)), connectToShadowDb },
    closeAll: async () => {
      await Promise.allSettled(opened.splice(0).map((adapter) => adapter.dispose()))
    },
  }
}
