import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { checkPorts } from './ports.mjs'
import { holderOfPort, identify, isAlive, listeningInodes, parseStat } from './proc.mjs'

describe('processes', () => {
  it('reads a stat line whose command name holds spaces and parentheses', () => {
    const rest = `S 41 ${Array.from({ length: 17 }, (_, index) => index).join(' ')} 987654 1 2`
    expect(parseStat(`42 (a) b (c)) ${rest}`)).toEqual({ state: 'S', parent: 41, startTime: '987654' })
  })

  it('tells a living process from an ended one and from a later one with its number', async () => {
    const child = spawn('sleep', ['30'])
    const id = identify(child.pid ?? 0)
    expect(isAlive(id)).toBe(true)
    expect(isAlive({ ...id, startTime: '1' })).toBe(false)
    expect(isAlive({ ...id, boot: 'another boot' })).toBe(false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(isAlive(id)).toBe(false)
  })
})

describe('ports', () => {
  it('finds listeners only, by their port', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1',
      '   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 222 1',
      '   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1',
    ].join('\n')
    expect(listeningInodes(table, 8080)).toEqual(['111'])
  })

  it('names the holder and the setting', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(holderOfPort(port)?.pid).toBe(process.pid)
    const check = () => checkPorts([{ port, title: 'the web app', setting: 'SLIPWAY_WEB_PORT' }])
    await expect(check()).rejects.toThrow(`Port ${port}, which the web app needs, is taken by process ${process.pid}`)
    await expect(check()).rejects.toThrow(expect.objectContaining({ hint: expect.stringContaining('SLIPWAY_WEB_PORT=') }))
    server.close()
    await once(server, 'close')
    await check()
  })
})
