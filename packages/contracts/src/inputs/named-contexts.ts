/** Named contexts of an app's builds, as `--build-context name=value` has them. */
import { sshAddress } from '@slipway/core'
import * as z from 'zod'
import { contextDigest } from '../agent/context-api'

/** As a stage or an image is written: what COPY --from, FROM and RUN --mount=from may say. */
const name = z
  .string()
  .max(128, 'Use at most 128 characters.')
  .regex(/^[a-z0-9]+(?:[._/:-]+[a-z0-9]+)*$/, 'Use lower-case letters, digits and . _ - / : as in the name of a stage or an image.')
  .refine((text) => text !== 'scratch', 'scratch is always the empty file system.')
const value = z
  .string()
  .min(1, 'Say what it stands for.')
  .max(500, 'Use at most 500 characters.')
  .refine(
    isContext,
    'Use a folder of the repository, docker-image://name:tag, or a Git address such as https://github.com/you/lib.git#main:folder.',
  )

function isContext(text: string): boolean {
  if (text.startsWith('docker-image://')) return /^docker-image:\/\/[A-Za-z0-9][A-Za-z0-9._:/@+-]*$/.test(text)
  const address = /^https?:\/\/([^?#]+)/.exec(text)?.[1]
  if (address !== undefined) return address.endsWith('.git') && !address.includes('@') && !/\s/.test(text)
  const ssh = /^[^?#]+/.exec(text)?.[0]
  if (ssh !== undefined && sshAddress(ssh)) return true
  return !/^[a-z0-9+.-]+:|^[\w-]+@|^\/|\0/i.test(text) && !text.split('/').includes('..')
}

/** Of one build: files that were uploaded, or what `value` says as in the settings. */
export const givenContexts = z
  .record(name, z.union([z.object({ tree: contextDigest }), z.object({ value })]))
  .refine((given) => Object.keys(given).length <= 20, 'A build has at most 20 named contexts.')

export const namedContexts = z
  .array(z.object({ name, value }))
  .max(20, 'An app has at most 20 named contexts.')
  .superRefine((list, context) => {
    const seen = new Set<string>()
    list.forEach((entry, index) => {
      if (seen.has(entry.name)) context.addIssue({ code: 'custom', path: [index, 'name'], message: 'This name is there twice.' })
      seen.add(entry.name)
    })
  })
export type NamedContextInput = z.output<typeof namedContexts>[number]
