import type { Evidence } from './detection'
import type { Folder } from './tree'

/**
 * The command of `web:` in a Procfile, as Heroku and its heirs run it. It is the owner's own shell text: it goes into the JSON form of
 * CMD, where no character can end the instruction.
 */
export function procfileWeb(folder: Folder): { command: string; evidence: Evidence } | null {
  const command = /^web:[ \t]*([^\r\n]{1,1000})$/m.exec((folder.text('Procfile') ?? '').slice(0, 20_000).replaceAll('\r', ''))?.[1]?.trim()
  if (!command || !/^[\x20-\x7e]+$/.test(command)) return null
  return { command, evidence: { file: 'Procfile', fact: 'says what web runs' } }
}
