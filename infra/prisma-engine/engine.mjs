// The schema engine itself, compiled to WebAssembly by Prisma, and how its methods are called.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import * as runtime from '@prisma/schema-engine-wasm/schema_engine_bg'
import { offlineFactory, postgresFactory, readInternalChar } from './adapters.mjs'
import { checkConnection, createDatabase } from './connection.mjs'

const require = createRequire(import.meta.url)

export const engineVersion = () => JSON.parse(readFileSync(require.resolve('@prisma/schema-engine-wasm/package.json'), 'utf8')).version

/**
 * @typedef {{ datamodels: string[], datasource?: { url?: string, shadowDatabaseUrl?: string } }} Options
 * @param {Options} options @param {(content: string) => void} print what the CLI shows to the person
 * @returns {(method: string, params: any) => Promise<unknown>}
 */
export function loadEngine({ datamodels, datasource }, print) {
  const bytes = readFileSync(
    require.resolve('@prisma/schema-engine-wasm/schema_engine_bg').replace(/schema_engine_bg\.js$/, 'schema_engine_bg.wasm'),
  )
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { './schema_engine_bg.js': runtime })
  // Where the engine leaves its last words; without it a panic would end the process without a reason.
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => process.stderr.write(`${message}\n`) }
  runtime.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  readInternalChar()

  const url = datasource?.url
  const isSchemaFile = (target) => target?.tag === 'empty' || target?.tag === 'schemaDatamodel'

  // One engine per request: after applyMigrations an engine no longer has its shadow database.
  async function withEngine(offline, work) {
    const postgres = !offline && url ? postgresFactory(url, datasource?.shadowDatabaseUrl) : undefined
    const factory = bindMigrationAwareSqlAdapterFactory(postgres?.factory ?? offlineFactory())
    const files = datamodels.length > 0 ? datamodels.map((file) => [file, readFileSync(file, 'utf8')]) : undefined
    const debug = (message) => process.env.DEBUG && process.stderr.write(`${message}\n`)
    const engine = await runtime.SchemaEngine.new({ datamodels: files }, debug, factory)
    try {
      return await work(engine)
    } finally {
      engine.free()
      await postgres?.closeAll()
    }
  }

  return async (method, params) => {
    if (method === 'createDatabase') return { databaseName: await createDatabase(params?.datasource?.url ?? url) }
    if (method === 'ensureConnectionValidity') {
      await checkConnection(url)
      return {}
    }
    const offline = method === 'diff' && isSchemaFile(params.from) && isSchemaFile(params.to)
    return withEngine(offline, async (engine) => {
      if (method === 'getDatabaseVersion') return engine.version(params)
      if (method === 'diff') {
        const { exitCode, stdout } = await engine.diff({ exitCode: null, ...params })
        if (stdout) print(stdout)
        return { exitCode, stdout: null }
      }
      if (typeof engine[method] !== 'function') throw new Error(`The schema engine has no method ${method}`)
      // These two read the migrations' schema from the engine's cache, which only a diagnostic fills from the shadow database.
      if (method === 'evaluateDataLoss' || method === 'createMigration') {
        await engine.devDiagnostic({ migrationsList: params.migrationsList, filters: params.filters })
      }
      return (await engine[method](params)) ?? {}
    })
  }
}
