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

it('tells values that no instruction takes, but for those that a variable may yet have', () => {
  expect(checkDockerfile('FROM debian:13\nEXPOSE 80 eighty\n')).toEqual([
    expect.objectContaining({
      severity: 'warning',
      rule: 'BAD_PORT',
      message: '"eighty" is no port.',
      line: 2,
      column: 11,
      hint: expect.any(String),
    }),
  ])
  expect(checkDockerfile('FROM debian:13\nSTOPSIGNAL SIGTREM\n')).toMatchObject([
    { rule: 'BAD_SIGNAL', hint: expect.stringContaining('SIGTERM') },
  ])
  expect(checkDockerfile('FROM debian:13\nARG PORT=eighty\nEXPOSE $PORT\n')).toEqual([])
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

const rulesOf = (text: string) => checkDockerfile(text).map(({ severity, rule, line }) => [severity, rule, line])

it('leaves out what the check directive skips, of the parser too, and fails where it says so', () => {
  const text = 'FROM debian:13\nRUN true \\\n\n  && true\nMAINTAINER me\n'
  expect(rulesOf(text)).toEqual([
    ['warning', 'NoEmptyContinuation', 3],
    ['warning', 'MaintainerDeprecated', 5],
  ])
  expect(rulesOf(`# check=skip=NoEmptyContinuation;error=true\n${text}`)).toEqual([['error', 'MaintainerDeprecated', 6]])
  expect(rulesOf(`# check=skip=all\n${text}`)).toEqual([])
})

it("knows Docker's own arguments in FROM", () => {
  expect(rulesOf('FROM alpine:$TARGETARCH$TARGETVARIANT\n')).toEqual([])
  expect(rulesOf('ARG VERSION\nFROM alpine:$VERSION\n')).toEqual([['warning', 'InvalidDefaultArgInFrom', 2]])
})

it('tells variables that are set nowhere', () => {
  expect(rulesOf('FROM scratch\nARG VERSION\nARG NAME=a\nLABEL a=$VERSION b=$NAME c=$NMAE d=$OTHER\n')).toEqual([
    ['warning', 'UndefinedVar', 4],
    ['warning', 'UndefinedVar', 4],
  ])
  expect(rulesOf('FROM scratch AS base\nENV A=1\nFROM base\nLABEL a=$A b=$B\n')).toEqual([['warning', 'UndefinedVar', 4]])
  expect(rulesOf('ARG TAG=1\nFROM alpine:$TGA\n')).toContainEqual(['warning', 'UndefinedArgInFrom', 2])
})

it('takes for set what a base image may set, unless that is hardly what was meant', () => {
  expect(rulesOf('FROM node:24\nLABEL a=$JAVA_HOME b=$NODE_VERSION\n')).toEqual([])
  expect(rulesOf('ARG NODE_VERSION=24\nFROM node:$NODE_VERSION\nLABEL a=$NODE_VERSION\n')).toEqual([])
  // It stands before FROM, so it is not there.
  expect(rulesOf('ARG COMMIT=0\nFROM node:24\nLABEL a=$COMMIT\n')).toEqual([['warning', 'UndefinedVar', 3]])
  expect(rulesOf('FROM node:24\nCOPY $TARGETARCH /x\n')).toEqual([['warning', 'UndefinedVar', 2]])
  const [typo] = checkDockerfile('FROM node:24\nARG FOOO=1\nENV X=$FOO\n')
  expect(typo).toMatchObject({ rule: 'UndefinedVar', line: 3, message: expect.stringContaining('$FOOO') })
})
