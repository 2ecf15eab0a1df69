import { expect, it } from 'vitest'
import { createApp, testReplication, updateApp } from './index'

const app = { org: 'acme', app: 'shop' }

it('changes nothing that an update does not name', () => {
  expect(updateApp.parse({ ...app, name: 'Shop' })).toEqual({ ...app, name: 'Shop' })
  expect(updateApp.parse({ ...app, memoryLimitBytes: null })).toEqual({ ...app, memoryLimitBytes: null })
})
it('gives a new app its defaults', () => {
  const git = { org: 'acme', project: 'web', name: 'Shop', source: 'git', gitUrl: 'https://git.example/shop.git' }
  expect(createApp.parse(git)).toMatchObject({
    gitBranch: 'main',
    dockerfilePath: 'Dockerfile',
    contextPath: '.',
    healthPath: '/',
    autoDeploy: true,
  })
  const image = { org: 'acme', project: 'web', name: 'Shop', source: 'image', imageReference: 'nginx' }
  expect(createApp.parse(image)).toMatchObject({ healthPath: '/', healthTimeoutSeconds: 60 })
})
it('takes named contexts that are a folder of the repository, an image or a Git repository', () => {
  const issues = (namedContexts: { name: string; value: string }[]) =>
    updateApp.safeParse({ ...app, namedContexts }).error?.issues.map((issue) => issue.path.join('.')) ?? []
  const values = ['docs', './a/b', '.', 'docker-image://debian:12', 'https://git.example/lib.git#v1:pkg', 'git@git.example:lib.git#v1']
  expect(issues(values.map((value, n) => ({ name: `c${n}/x:1.2`, value })))).toEqual([])
  for (const value of [
    '/etc',
    '../up',
    'a/../../b',
    'git://host/x.git',
    'https://t:k@git.example/x.git',
    'https://x/a.tar',
    'file:///etc',
    '',
  ])
    expect(issues([{ name: 'a', value }]), value).toEqual(['namedContexts.0.value'])
  for (const name of ['Upper', '-x', '', 'a b', 'scratch']) expect(issues([{ name, value: '.' }]), name).toContain('namedContexts.0.name')
  const twice = { name: 'a', value: '.' }
  expect(issues([twice, twice])).toEqual(['namedContexts.1.name'])
})
it('answers in words when a Git address is none, or holds a token', () => {
  const issues = (gitUrl: string) => updateApp.safeParse({ ...app, gitUrl }).error?.issues.map((issue) => issue.message) ?? []
  expect(issues('https://git.example/shop.git')).toEqual([])
  expect(issues('git@git.example:shop.git')).toEqual([])
  expect(issues('ssh://git@git.example:2222/shop.git')).toEqual([])
  for (const bad of [
    'shop',
    'file:///etc',
    'ext::sh -c id',
    'ssh://git:secret@git.example/shop.git',
    'git@-oProxyCommand=id:x',
    'https://',
  ])
    expect(issues(bad)[0], bad).toMatch(/^Use an http/)
  expect(issues('https://token@git.example/shop.git')[0]).toMatch(/^Put the access token/)
  expect(issues('https://user:token@git.example/shop.git')[0]).toMatch(/^Put the access token/)
})
it('answers in words when the address of a registry is none', () => {
  const issues = (remote: string) =>
    testReplication.safeParse({ org: 'acme', remote, username: '', inside: false }).error?.issues.map((issue) => issue.message) ?? []
  expect(issues('https://registry.example.com')).toEqual([])
  for (const bad of ['', 'registry.lan:5000', 'ftp://registry.lan', 'https://'])
    expect(issues(bad)[0], bad).toBe('Write the address with https:// or http://.')
  expect(issues('https://registry.example.com/v2')[0]).toMatch(/^Write the address without a path/)
})
