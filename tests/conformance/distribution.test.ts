/** The official suite of the OCI distribution specification against the registry as `npm start` runs it: Postgres, tokens, disk. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildSuite } from '../../infra/conformance/distribution/build.mjs'
import { type Installation, startInstallation } from '../clients/registry/installation'
import { parseJunit } from './junit'

const DEADLINE_MS = 240_000
/** Checks and groups of checks, as the suite counts them, with version 1.1 alone. Fewer would mean that it stopped early. */
const AT_LEAST = 848

let i: Installation
let suite: string
beforeAll(async () => {
  // Fails with the sentence that says how to get Go when there is none: a suite that cannot be built is no suite that passed.
  suite = await buildSuite({ detail: () => {} })
  i = await startInstallation()
})
afterAll(() => i?.close())

/** The suite ends with 1 when a check failed; what it said on the way is for errors of its own. */
async function run(settings: Record<string, string>) {
  const results = path.join(i.folder, 'results')
  const env = {
    PATH: process.env.PATH,
    OCI_REGISTRY: i.host,
    OCI_TLS: 'disabled',
    OCI_REPO1: 'acme/conformance/one',
    OCI_REPO2: 'acme/conformance/two',
    OCI_USERNAME: 'key',
    OCI_PASSWORD: i.people.dan.apiKey,
    OCI_RESULTS_DIR: results,
    ...settings,
  }
  const said = await new Promise<string>((resolve) => {
    // In a folder without a configuration file of the suite's.
    const options = { cwd: i.folder, env, timeout: DEADLINE_MS, killSignal: 'SIGKILL' as const, maxBuffer: 64 * 1024 * 1024 }
    execFile(suite, [], options, (error, _stdout, stderr) => resolve(`${error?.killed ? 'It did not end in time. ' : ''}${stderr}`))
  })
  const report = await readFile(path.join(results, 'junit.xml'), 'utf8').catch(() => '')
  if (report === '') throw new Error(`The suite wrote no report. ${said.slice(-2000)}`)
  return parseJunit(report)
}

it('passes every check of version 1.1, also what a registry may leave out', { timeout: DEADLINE_MS + 10_000 }, async () => {
  const { total, checks } = await run({
    OCI_VERSION: '1.1',
    // Left out: OCI_DATA_SPARSE. The specification lets a registry demand an image's layers, and this one does.
    OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
    OCI_API_BLOBS_DIGEST_HEADER: 'true',
    OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
    OCI_API_MANIFESTS_TAG_PARAM: 'true',
  })
  expect(checks.filter((check) => check.status !== 'passed')).toEqual([])
  expect(total).toBeGreaterThanOrEqual(AT_LEAST)
})
