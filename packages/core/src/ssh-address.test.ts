import { expect, it } from 'vitest'
import { knownHostName, sshAddress } from './ssh-address'

it.each([
  ['git@GitHub.com:org/repo.git', 'git', 'github.com', 22, 'github.com'],
  ['deploy@10.0.0.4:/srv/repo.git', 'deploy', '10.0.0.4', 22, '10.0.0.4'],
  ['ssh://git@git.example:2222/org/repo.git', 'git', 'git.example', 2222, '[git.example]:2222'],
  ['ssh://git.example/~ada/repo', null, 'git.example', 22, 'git.example'],
  ['ssh://git@[fd00::1]:22/repo.git', 'git', 'fd00::1', 22, 'fd00::1'],
])('reads %s', (text, user, host, port, known) => {
  const address = sshAddress(text)
  expect(address).toEqual({ user, host, port })
  expect(address && knownHostName(address)).toBe(known)
})

it.each([
  'https://git.example/repo.git',
  'git.example:repo.git',
  'git@-oProxyCommand=id:repo',
  '-oProxyCommand=id@git.example:repo',
  'git@git.example:-repo',
  'git@git.example:',
  'git@git.example:a b',
  'git@git.example:a\nb',
  'git@host;id:repo',
  'ssh://git:secret@git.example/repo',
  'ssh://-oProxyCommand=id/repo',
  'ssh://git.example:0/repo',
  'ssh://git.example:99999/repo',
  'ssh://git.example',
  'ssh://git%40evil@git.example/repo',
  'ext::sh -c id',
  '',
])('takes %j for no address over SSH', (text) => {
  expect(sshAddress(text)).toBeNull()
})
