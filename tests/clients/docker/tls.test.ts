/** The engine over TCP, with the CLI's own flags: both sides show a certificate of the same authority, or nothing is said. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '@slipway/testing'
import { describe, expect, it } from 'vitest'
import { isPeer } from './daemons'
import { useEngine } from './engine'

const port = await freePort()
const engine = useEngine({
  flags: (folder) => {
    makeCertificates(join(folder, 'certificates'))
    const [ca, cert, key] = ['ca.pem', 'server.pem', 'server.key'].map((name) => join(folder, 'certificates', name)) as [
      string,
      string,
      string,
    ]
    if (isPeer) return ['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', '--tlscacert', ca, '--tlscert', cert, '--tlskey', key]
    return ['--tcp', `127.0.0.1:${port}`, '--tls-ca', ca, '--tls-cert', cert, '--tls-key', key]
  },
})

/** Two authorities; `server` and `client` are vouched for by the first, `stranger` by the second. */
function makeCertificates(folder: string): void {
  if (existsSync(folder)) return
  mkdirSync(folder)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', timeout: 30_000 })
  const fresh = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  for (const name of ['ca', 'other'])
    openssl(...fresh, '-x509', '-days', '2', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.pem`)
  writeFileSync(join(folder, 'leaf'), 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n')
  for (const [name, ca] of [
    ['server', 'ca'],
    ['client', 'ca'],
    ['stranger', 'other'],
  ] as const) {
    openssl(...fresh, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    const by = ['-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-extfile', 'leaf']
    openssl('x509', '-req', '-days', '2', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`)
  }
}

const file = (name: string) => join(engine.folder, 'certificates', name)
/** `docker -H tcp://…`, trusting one authority and showing one certificate. */
const docker = (ca: string, certificate: string | null, args: string[], stdin?: string) => {
  const own = certificate === null ? [] : ['--tlscert', file(`${certificate}.pem`), '--tlskey', file(`${certificate}.key`)]
  const flags = ['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', '--tlscacert', file(`${ca}.pem`), ...own]
  return engine.docker([...flags, ...args], { stdin })
}

describe('over TCP', () => {
  it('a client with a certificate does all that it does on the socket', async () => {
    expect(await docker('ca', 'client', ['version', '--format', '{{.Server.Os}}'])).toMatchObject({ code: 0, out: 'linux\n' })
    // A stream in both directions, each end on its own: the client's input ends before the answer comes.
    const text = 'x'.repeat(200_000)
    expect(await docker('ca', 'client', ['run', '--rm', '-i', 'busybox', 'wc', '-c'], text)).toMatchObject({ code: 0, out: '200000\n' })
    await docker('ca', 'client', ['run', '-d', '--name', 'far', 'busybox', 'sh', '-c', 'echo heard; exit 3'])
    expect(await docker('ca', 'client', ['wait', 'far'])).toMatchObject({ code: 0, out: '3\n' })
    expect(await docker('ca', 'client', ['logs', '-f', 'far'])).toMatchObject({ code: 0, out: 'heard\n' })
    expect(await engine.ok(['ps', '-aq', '--filter', 'name=far'])).not.toBe('')
  })

  it.each([
    ['without a certificate', 'ca', null, /certificate required|bad certificate|handshake failure/],
    ['with a certificate of another authority', 'ca', 'stranger', /unknown certificate authority|bad certificate|certificate required/],
    ['that does not trust the server', 'other', 'client', /failed to verify certificate|signed by unknown authority/],
  ] as const)('a client %s is told nothing', async (_, ca, certificate, reason) => {
    for (const args of [['version'], ['ps'], ['run', '--rm', 'busybox', 'true']]) {
      const { code, err } = await docker(ca, certificate, args)
      expect([code === 0, err]).toEqual([false, expect.stringMatching(reason)])
    }
    expect(await engine.ok(['ps', '-aq'])).toBe('')
  })

  it('without TLS nothing is understood', async () => {
    const plain = await engine.docker(['-H', `tcp://127.0.0.1:${port}`, 'ps'])
    expect(plain.code).not.toBe(0)
    expect(plain.err).toMatch(/HTTP request to an HTTPS server|malformed HTTP response|EOF|reset|Cannot connect/i)
  })
})
