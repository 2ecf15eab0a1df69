import { expect, it } from 'vitest'
import { parseIgnoreFile } from '../ignore/dockerignore'
import { IgnoreMatcher } from '../ignore/matcher'
import { checkDockerfile } from './check'

it('says nothing about a file without fault', () => {
  expect(checkDockerfile('FROM debian:13\nRUN true\n')).toEqual([])
})

it('gives a fault of the syntax its place and its hint, each once', () => {
  expect(checkDockerfile('FROM debian:13\nRUNN true\n')).toEqual([
    expect.objectContaining({ severity: 'error', line: 2, column: 1, hint: expect.stringContaining('RUN') }),
  ])
  const [finding] = checkDockerfile('FROM debian:13\nRUNN true\n', { file: 'web/Dockerfile' })
  expect(finding?.message).not.toContain('web/Dockerfile')
  expect(finding?.message).not.toContain(finding?.hint ?? '!')
})

it('takes an empty file, which has no line to point at', () => {
  expect(checkDockerfile('')).toEqual([expect.objectContaining({ severity: 'error' })])
})

it('joins what the parser warns of with what lint finds', () => {
  const rules = checkDockerfile('FROM node:20\nMAINTAINER me\nCOPY . .\nRUN npm ci\n').map(({ rule, line }) => [rule, line])
  expect(rules).toContainEqual(['CopyBeforeInstall', 3])
  expect(rules).toContainEqual(['MaintainerDeprecated', 2])
})

it('knows what the context leaves out', () => {
  const ignore = new IgnoreMatcher(parseIgnoreFile('secret.txt\n', '.dockerignore'))
  expect(checkDockerfile('FROM debian:13\nCOPY secret.txt /\n', { ignore })).toMatchObject([{ rule: 'CopyIgnoredFile', line: 2 }])
})

it('tells of an ARG that waits for a secret, at each place and with what to write', () => {
  const findings = checkDockerfile('ARG TOKEN\nFROM debian:13\nARG TOKEN OTHER\nRUN true\n', { secrets: ['TOKEN'] })
  const found = findings.filter(({ rule }) => rule === 'SecretVariableInArg')
  expect(found.map(({ line }) => line)).toEqual([1, 3])
  expect(found[0]?.message).toContain('RUN --mount=type=secret,id=TOKEN')
})
