import { expect, it } from 'vitest'
import { readOutputs } from './parse'

it.each([
  ['out', { type: 'local', dest: 'out' }],
  ['-', { type: 'tar', dest: '-' }],
  ['type=local,dest=./x', { type: 'local', dest: './x' }],
  ['type=tar', { type: 'tar', dest: '-' }],
  ['type=oci,dest=image.tar', { type: 'oci', dest: 'image.tar' }],
  ['dest=image.tar,type=docker', { type: 'docker', dest: 'image.tar' }],
  ['type=registry', { type: 'registry' }],
  [
    'type=oci,dest=x,compression=zstd,compression-level=19,force-compression=true',
    { type: 'oci', dest: 'x', form: { compression: 'zstd', level: 19, force: true } },
  ],
  [
    'type=docker,dest=x,compression=uncompressed,oci-mediatypes=false',
    { type: 'docker', dest: 'x', form: { compression: 'uncompressed', mediaTypes: 'docker' } },
  ],
  ['type=image,push=true,oci-mediatypes=false', { type: 'registry', form: { mediaTypes: 'docker' } }],
  ['type=docker,dest=x,rewrite-timestamp=true', { type: 'docker', dest: 'x', form: { reproducible: true } }],
  ['type=image,push=true', { type: 'registry' }],
])('%s', (text, output) => expect(readOutputs([text], false)).toEqual([output]))

it.each([
  '',
  'type=local',
  'type=local,dest=-',
  'type=zip,dest=x',
  'dest=x',
  'type=oci,dest=x,compression=estargz',
  'type=oci,dest=x,compression=uncompressed,compression-level=1',
  'type=oci,dest=x,compression-level=10',
  'type=oci,dest=x,compression=zstd,oci-mediatypes=false',
  'type=oci,dest=x,force-compression=yes',
  'type=local,dest=x,compression=zstd',
  'type=oci,type=tar',
  'type=image',
  'type=registry,dest=x',
  'type=oci,dest',
])('refuses "%s"', (text) => expect(() => readOutputs([text], false)).toThrow(/^-o/))

it('writes no tar to a terminal, and one to stdout only', () => {
  expect(() => readOutputs(['type=tar'], true)).toThrow('terminal')
  expect(() => readOutputs(['-', 'type=oci'], false)).toThrow('Two outputs')
  const looks = ['type=oci,dest=a,compression=zstd', 'type=docker,dest=b,compression=gzip']
  expect(() => readOutputs(looks, false)).toThrow('different looks')
})
