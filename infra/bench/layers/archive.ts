/** A layer of 100,000 entries as an archive, for the whole way from blob to rows. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const WORDS = 'const return import export function layer image push pull blob digest manifest tag index value error await'.split(' ')

/** `files` of 0 to 4 KB that shrink as source text does, fifty to a directory, with dpkg's database of 400 packages. Gives the gzip file. */
export function largeArchive(folder: string, files: number): string {
  const root = join(folder, 'root')
  for (let at = 0; at < files; at++) {
    const directory = join(root, directoryOf(at))
    if (at % 50 === 0) mkdirSync(directory, { recursive: true })
    const words = Array.from({ length: (at * 7919) % 600 }, (_, i) => `${WORDS[(at * 31 + i * i) % WORDS.length]}${(at * i) % 97}`)
    writeFileSync(join(directory, `file-${at}.js`), words.join(' '))
  }
  mkdirSync(join(root, 'var/lib/dpkg'), { recursive: true })
  const status = Array.from(
    { length: 400 },
    (_, i) => `Package: library-${i}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.${i}-1\n`,
  )
  writeFileSync(join(root, 'var/lib/dpkg/status'), status.join('\n'))
  execFileSync('tar', ['-C', root, '-czf', `${root}.tar.gz`, '.'])
  return `${root}.tar.gz`
}

export const directoryOf = (at: number) => `srv/app/node_modules/package-${Math.floor(at / 500)}/lib/part-${Math.floor(at / 50) % 10}`
