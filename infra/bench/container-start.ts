import { hasDockerd, startDockerd, type TestDockerd } from '@slipway/testing'
import Docker from 'dockerode'
import type { Figure } from './stats'

/** create + start of busybox over the API, on the bridge, warm; what comes after (wait, remove) is not counted. */
async function measure(docker: Docker, image: string, runs: number): Promise<number[]> {
  const times: number[] = []
  for (let i = -3; i < runs; i++) {
    const from = performance.now()
    const container = await docker.createContainer({ Image: image, Cmd: ['sleep', '60'] })
    await container.start()
    if (i >= 0) times.push(performance.now() - from)
    await container.remove({ force: true })
  }
  return times
}

export async function containerStart(agentSocket: string, runs: number): Promise<Figure> {
  const ours = new Docker({ socketPath: agentSocket, version: 'v1.44' })
  const image = 'slipway.local/base/busybox:latest'
  const figure: Figure = {
    name: 'Container create + start over the API (busybox, bridge)',
    unit: 'ms',
    ours: await measure(ours, image, runs),
    aim: '≤ 30 ms',
  }
  let peer: TestDockerd | null = null
  try {
    if (hasDockerd()) {
      peer = await startDockerd({ bridge: true })
      const theirs = new Docker({ socketPath: peer.socketPath })
      await theirs.loadImage((await ours.getImage(image).get()) as unknown as NodeJS.ReadableStream)
      figure.peer = { name: 'dockerd', values: await measure(theirs, image, Math.min(runs, 20)) }
    }
  } finally {
    await peer?.stop()
  }
  return figure
}
