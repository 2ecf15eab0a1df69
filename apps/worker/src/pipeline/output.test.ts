import { buildOutput as schema } from '@slipway/contracts'
import { expect, it } from 'vitest'
import { buildOutput, datedArgs, UPLOADED_AT } from './output'

const FORMATS = ['oci_gzip', 'oci_zstd', 'docker_gzip', 'oci_uncompressed'] as const
const commitAt = new Date('2026-11-28T12:00:00.900Z')

it('asks for what the settings say, and for nothing more', () => {
  expect(buildOutput({ imageFormat: 'oci_gzip', reproducible: false }, null, undefined)).toEqual({})
  expect(buildOutput({ imageFormat: 'oci_zstd', reproducible: true }, null, 7)).toEqual({
    compression: 'zstd',
    sourceDateEpoch: 7,
    rewriteTimestamps: true,
  })
  const docker = { imageFormat: 'docker_gzip', reproducible: false } as const
  expect(buildOutput(docker, null, 7)).toEqual({ mediaTypes: 'docker', sourceDateEpoch: 7 })
  for (const imageFormat of FORMATS)
    for (const epoch of [undefined, 0]) schema.parse(buildOutput({ imageFormat, reproducible: true }, null, epoch))
})

it('takes what a client said before what is set, and no two that do not go together', () => {
  const forms = [
    { compression: 'zstd', level: 19, force: true },
    { mediaTypes: 'docker' },
    { level: 9 },
    { compression: 'uncompressed' },
    { reproducible: true },
  ] as const
  for (const imageFormat of FORMATS) for (const form of forms) schema.parse(buildOutput({ imageFormat, reproducible: false }, form, 0))
  expect(buildOutput({ imageFormat: 'docker_gzip', reproducible: false }, { compression: 'zstd' }, undefined)).toEqual({
    compression: 'zstd',
    mediaTypes: 'oci',
  })
  expect(buildOutput({ imageFormat: 'oci_zstd', reproducible: false }, { mediaTypes: 'docker' }, undefined)).toEqual({
    compression: 'gzip',
    mediaTypes: 'docker',
  })
  expect(buildOutput({ imageFormat: 'oci_uncompressed', reproducible: false }, { level: 9 }, undefined)).toEqual({
    compression: 'gzip',
    level: 9,
  })
  expect(buildOutput({ imageFormat: 'oci_gzip', reproducible: true }, { reproducible: false }, 5)).toEqual({ sourceDateEpoch: 5 })
})

it('dates a reproducible build by its commit, unless a variable does', () => {
  expect(datedArgs(true, { A: 'b' }, commitAt)).toEqual({ A: 'b', SOURCE_DATE_EPOCH: '1795867200' })
  expect(datedArgs(true, { SOURCE_DATE_EPOCH: '5' }, commitAt)).toEqual({ SOURCE_DATE_EPOCH: '5' })
  expect(datedArgs(true, {}, new Date(-5000))).toEqual({ SOURCE_DATE_EPOCH: '0' })
  expect(datedArgs(true, {}, UPLOADED_AT)).toEqual({ SOURCE_DATE_EPOCH: '0' })
  expect(datedArgs(false, { A: 'b' }, commitAt)).toEqual({ A: 'b' })
})
