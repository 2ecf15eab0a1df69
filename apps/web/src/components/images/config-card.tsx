import type { views } from '@slipway/contracts'
import { Card, CardHeader, KeyValue } from '@slipway/ui'
import type { ReactNode } from 'react'

const argv = (args: string[]) => args.map((a) => (/[\s"']/.test(a) ? JSON.stringify(a) : a)).join(' ')
const mono = (text: string) => <span className="font-mono text-xs">{text}</span>

function Lines({ lines }: { lines: string[] }) {
  return (
    <ul className="grid gap-0.5">
      {lines.map((line) => (
        <li key={line} className="font-mono text-xs leading-5 [overflow-wrap:anywhere]">
          {line}
        </li>
      ))}
    </ul>
  )
}

/** What a container of this image starts with; only what is set. */
export function ConfigCard({ image }: { image: views.ImageView }) {
  const { config } = image
  if (!config) return null
  const labels = Object.entries(config.labels).map(([key, value]) => `${key}=${value}`)
  const items: { key: string; value: ReactNode; wrap?: boolean }[] = []
  const add = (key: string, value: ReactNode, wrap = false) => items.push({ key, value, wrap })
  if (image.platform) add('Platform', image.platform)
  if (config.entrypoint?.length) add('Entrypoint', mono(argv(config.entrypoint)), true)
  if (config.cmd?.length) add('Command', mono(argv(config.cmd)), true)
  if (config.workingDir) add('Directory', mono(config.workingDir))
  if (config.user) add('User', mono(config.user))
  if (config.exposedPorts.length > 0) add('Ports', mono(config.exposedPorts.join(', ')))
  if (config.volumes.length > 0) add('Volumes', <Lines lines={config.volumes} />, true)
  if (config.stopSignal) add('Stop signal', mono(config.stopSignal))
  if (config.env.length > 0) add('Environment', <Lines lines={config.env} />, true)
  if (labels.length > 0) add('Labels', <Lines lines={labels} />, true)
  return (
    <Card>
      <CardHeader title="Configuration" />
      {items.length === 0 ? <p className="px-4 py-5 text-ink-2 text-sm">This image sets nothing.</p> : <KeyValue items={items} />}
    </Card>
  )
}
