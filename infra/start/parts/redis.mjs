import { connect } from 'node:net'
import { inherited } from '../settings.mjs'

/** Redis on a socket in the data folder, writing down every change. @param {import('../settings.mjs').Settings} settings */
export function prepareRedis({ paths }) {
  return {
    redisUrl: `unix://${encodeURI(paths.redisSocket)}`,
    /** @type {import('../supervisor.mjs').Part} */
    part: {
      name: 'redis',
      title: 'Redis',
      argv: () => [
        'redis-server',
        ...['--port', '0', '--unixsocket', paths.redisSocket, '--unixsocketperm', '700', '--dir', paths.redis],
        // Queues must never lose a job to memory pressure: writes fail instead, and are reported.
        ...['--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--daemonize', 'no', '--save', '3600 1'],
      ],
      env: inherited(process.env),
      cwd: paths.redis,
      stopDeadlineMs: 15_000,
      readyDeadlineMs: 60_000,
      ready: () => ping(paths.redisSocket),
    },
  }
}

/** Whether Redis answers PING; while it loads its data it answers -LOADING instead. */
function ping(socketPath) {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    socket.setTimeout(2_000, () => socket.destroy(new Error('Redis does not answer')))
    socket.on('error', reject)
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', (answer) => {
      socket.destroy()
      resolve(answer.toString().startsWith('+PONG'))
    })
  })
}
