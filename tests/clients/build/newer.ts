/**
 * The same comparison with a BuildKit newer than Debian's, by hand: `npx tsx tests/clients/build/newer.ts FOLDER [TEXT]`, where FOLDER has its
 * `buildkitd` and `buildctl` and TEXT is a part of the topic or name of the cases to take. All cases of the test, and those of
 * `cases/newer/` that an older one does not know. Ends with 1 when there is a difference that no case tells of.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { baseArchive } from './base'
import { type Builders, startOurs } from './builders'
import type { Case } from './case'
import { TOPICS } from './cases'
import { EXPANSION } from './cases/newer/expansion'
import { FLAGS } from './cases/newer/flags'
import { HEREDOCS } from './cases/newer/heredocs'
import { differences } from './compare'
import { savedImage } from './image'
import { type NewerBuildKit, startNewerBuildKit } from './newer-buildkit'

const AT_ONCE = 3
const [programs = '', text = ''] = process.argv.slice(2)
const all = Object.entries({ ...TOPICS, FLAGS, HEREDOCS, EXPANSION }).flatMap(([topic, cases]) =>
  cases.map((test) => ({ title: `${topic}: ${test.name}`, test })),
)
const chosen = all.filter(({ title }) => title.includes(text))
if (programs === '' || chosen.length === 0) throw new Error('npx tsx tests/clients/build/newer.ts FOLDER [TEXT]')

/** Lines of what is not as the case says; none when all is well. */
async function compare(ours: Builders['ours'], theirs: NewerBuildKit, test: Case): Promise<string[]> {
  const [our, their] = await Promise.all([ours.build(test), theirs.build(test)])
  const built = [!('refused' in our), !('refused' in their)]
  const refusal = 'refused' in our ? our.refused : 'refused' in their ? their.refused : ''
  const { newer } = test
  if (newer && 'only' in newer)
    return built[0] === (newer.only === 'ours') && built[0] !== built[1] ? [] : [`not only ${newer.only}: ${refusal}`]
  // What only the older one builds, a newer may refuse as ours does.
  if (test.only?.builder === 'theirs' && !built.includes(true)) return []
  if (test.refused) return built.some(Boolean) ? [`only ${built[0] ? 'ours' : 'theirs'} builds it: ${refusal}`] : []
  if (built.includes(false)) {
    const expected = test.only && !newer && built[0] === (test.only.builder === 'ours') && built[0] !== built[1]
    return expected ? [] : [`${built[0] ? 'theirs' : built[1] ? 'ours' : 'both'} refused: ${refusal}`]
  }
  if (!('image' in our) || 'refused' in their) return []
  const found = differences(await savedImage(ours.socketPath, our.image), their)
  // What a case says of the older one may be so with the newer one, too.
  const known = [...(test.differs?.lines ?? []), ...(newer?.lines ?? [])]
  return found.filter((line) => !known.some((start) => line.startsWith(start)))
}

const folder = mkdtempSync('/var/tmp/sw-newer-')
const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
let different = 0
try {
  const archive = await baseArchive(folder)
  const theirs = await startNewerBuildKit(programs, folder, archive)
  undo.push(() => theirs.stop())
  const ours = await startOurs(folder, archive, undo)
  const left = chosen.values()
  const worker = async () => {
    for (const { title, test } of left) {
      const lines = await compare(ours, theirs, test).catch((error: unknown) => [String(error)])
      if (lines.length === 0) continue
      different++
      process.stdout.write(`${title}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
} finally {
  for (let step = undo.pop(); step; step = undo.pop()) await step()
}
process.stdout.write(`${chosen.length} cases, ${different} differ\n`)
process.exitCode = different === 0 ? 0 : 1
