import { buildOutput as schema } from '@slipway/contracts'
import { expect, it } from 'vitest'
import { buildOutput, datedArgs } from './output'

const commitAt = new Date('2026-11-28T12:00:00.900Z')

it('asks for what the settings say, and for nothing more', () => {
  expect(buildOutput({ imageFormat: 'oci_gzip', reproducible: false }, undefined)).toEqual({})
  expect(buildOutput({ imageFormat: 'oci_zstd', reproducible: true }, 7)).toEqual({
    compression: 'zstd',
    sourceDateEpoch: 7,
    rewriteTimestamps: true,
  })
  expect(buildOutput({ imageFormat: 'docker_gzip', reproducible: false }, 7)).toEqual({ mediaTypes: 'docker', sourceDateEpoch: 7 })
  for (const imageFormat of ['oci_gzip', 'oci_zstd', 'docker_gzip'] as const)
    for (const epoch of [undefined, 0]) schema.parse(buildOutput({ imageFormat, reproducible: true }, epoch))
})

it('dates a reproducible build by its commit, unless a variable does', () => {
  expect(datedArgs({ reproducible: true }, { A: 'b' }, commitAt)).toEqual({ A: 'b', SOURCE_DATE_EPOCH: '1795867200' })
  expect(datedArgs({ reproducible: true }, { SOURCE_DATE_EPOCH: '5' }, commitAt)).toEqual({ SOURCE_DATE_EPOCH: '5' })
  expect(datedArgs({ reproducible: true }, {}, new Date(-5000))).toEqual({ SOURCE_DATE_EPOCH: '0' })
  expect(datedArgs({ reproducible: false }, { A: 'b' }, commitAt)).toEqual({ A: 'b' })
})
