import { describe, expect, it } from 'vitest'
import { clientAddress, LOOPBACK_ONLY, TrustedProxies } from './client-address'

const loopback = new TrustedProxies(LOOPBACK_ONLY)
const chain = new TrustedProxies('127.0.0.1, 10.0.0.0/8,fd00::/8')

describe('the address of a client', () => {
  it.each([
    ['no header', '127.0.0.1', undefined, '127.0.0.1'],
    ['a proxy on the same machine', '127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['the same over IPv6, from a client of IPv6', '::1', '2001:DB8:0::7', '2001:db8::7'],
    ['a socket of both families', '::ffff:127.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['a proxy that listens for both', '127.0.0.1', '::ffff:203.0.113.7', '203.0.113.7'],
    ['what the client sent itself stands left', '127.0.0.1', '6.6.6.6, 203.0.113.7', '203.0.113.7'],
    ['also when it is long, or nothing', '127.0.0.1', `${'x,'.repeat(5000)},203.0.113.7`, '203.0.113.7'],
    ['somebody who is no proxy', '198.51.100.2', '6.6.6.6', '198.51.100.2'],
    ['loopback only', '127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['no socket', undefined, '6.6.6.6', 'unknown'],
  ])('%s', (_, socket, header, client) => {
    expect(clientAddress(socket, header, loopback)).toBe(client)
  })

  it('is looked for behind each proxy that is trusted', () => {
    expect(clientAddress('127.0.0.1', '6.6.6.6, 203.0.113.7, 10.1.2.3, fd00::5', chain)).toBe('203.0.113.7')
    expect(clientAddress('127.0.0.1', '10.9.9.9, 10.1.2.3', chain)).toBe('10.9.9.9')
    expect(clientAddress('11.0.0.1', '203.0.113.7', chain)).toBe('11.0.0.1')
    expect(clientAddress('127.0.0.1', '203.0.113.7', new TrustedProxies('none'))).toBe('127.0.0.1')
  })

  it.each([
    'evil',
    '',
    ',',
    '203.0.113.7,',
    '203.0.113.7:4711',
    '203.0.113.07',
    '[2001:db8::7]',
    'fe80::1%eth0',
    '::ffff:127.0.0.1%1',
    '::ffff:7f00:1',
    '0:0:0:0:0:ffff:203.0.113.7',
    '::ffff:1.2.3',
    'a'.repeat(100_000),
    '127.0.0.1,'.repeat(100_000),
    `6.6.6.6,${'127.0.0.1,'.repeat(40)}127.0.0.1`,
    '\u0000',
    '203.0.113.7\r\n6.6.6.6',
  ])('is the socket’s for what is no address: %#', (header) => {
    expect(clientAddress('127.0.0.1', header, loopback)).toBe('127.0.0.1')
  })

  it.each(['localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'fd00::/129', 'fe80::1%eth0', '1.2.3'])(
    'is told by no proxy “%s”',
    (text) => {
      expect(() => new TrustedProxies(`127.0.0.1,${text}`)).toThrow('is neither')
    },
  )
})
