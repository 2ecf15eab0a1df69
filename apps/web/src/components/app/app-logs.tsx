'use client'
import { Button, Card, Input, LogView, stripAnsi } from '@slipway/ui'
import { Eraser, Pause, Play, Search } from 'lucide-react'
import { useDeferredValue, useMemo, useState } from 'react'
import { InlineError } from '@/components/load'
import { useApp } from '@/lib/use-app'
import { useAppLogs } from '@/lib/use-app-logs'

/** The containers' log: followed, held, filtered. */
export function AppLogs({ org, app }: { org: string; app: string }) {
  const { data: view } = useApp(org, app)
  const running = view !== undefined && view.serving !== null && view.desiredState === 'running'
  const [held, setHeld] = useState<number | null>(null)
  const [filter, setFilter] = useState('')
  const { lines, dropped, clear, status, error } = useAppLogs(org, app, { tail: 2000, enabled: running })
  const words = useDeferredValue(filter.trim().toLowerCase())
  const shown = useMemo(() => {
    const upTo = held === null ? lines : lines.filter((l) => Number(l.key) < held)
    return words === '' ? upTo : upTo.filter((l) => stripAnsi(l.text).toLowerCase().includes(words))
  }, [lines, held, words])
  const newer = held === null ? 0 : lines.filter((l) => Number(l.key) >= held).length
  const last = lines.at(-1)
  return (
    <Card className="grid">
      <div className="flex flex-wrap items-center gap-2 border-line border-b px-3 py-2">
        <div className="relative min-w-0 flex-1 basis-52">
          <Search className="absolute top-2 left-2.5 size-4 text-ink-3" aria-hidden />
          <Input
            aria-label="Filter the lines"
            placeholder="Filter"
            value={filter}
            onChange={(e) => setFilter(e.target.value)}
            className="pl-8.5"
          />
        </div>
        <span className="num px-1 text-ink-3 text-xs" role="status">
          {words !== ''
            ? `${shown.length.toLocaleString('en')} of ${lines.length.toLocaleString('en')} lines`
            : lines.length === 1
              ? '1 line'
              : `${lines.length.toLocaleString('en')} lines`}
          {dropped > 0 && ', older ones left'}
          {newer > 0 && `, ${newer.toLocaleString('en')} new`}
        </span>
        <Button
          onClick={() => setHeld(held === null ? Number(last?.key ?? -1) + 1 : null)}
          icon={held === null ? <Pause aria-hidden /> : <Play aria-hidden />}
          disabled={!running}
        >
          {held === null ? 'Pause' : 'Follow'}
        </Button>
        <Button variant="ghost" size="icon" aria-label="Clear what is shown" title="Clear what is shown" onClick={clear}>
          <Eraser aria-hidden />
        </Button>
      </div>
      {status === 'error' && <InlineError error={error} />}
      <LogView
        lines={shown}
        label="Log of the containers"
        follow={held === null}
        className="h-[calc(100dvh-258px)] min-h-80"
        empty={
          !running
            ? 'No container runs. Lines come as soon as a version serves.'
            : words !== ''
              ? 'No line has these words.'
              : 'Nothing written yet. Lines come in as the app writes to its standard output.'
        }
      />
    </Card>
  )
}
