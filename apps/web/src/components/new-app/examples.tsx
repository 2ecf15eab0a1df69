'use client'
import { Button, Card } from '@slipway/ui'
import { Rocket } from 'lucide-react'
import { useExample } from '@/components/overview/first-run'

const EXAMPLES = [
  { name: 'hello', title: 'hello', text: 'A static page served by busybox. Builds in well under a second and needs nothing else.' },
  {
    name: 'guestbook',
    title: 'guestbook',
    text: 'A guestbook on Node: two build stages, packages installed during the build. Needs the Node base image (npm run base-images).',
  },
] as const

export function Examples({ org }: { org: string }) {
  const example = useExample(org)
  return (
    <div className="grid gap-5 sm:grid-cols-2">
      {EXAMPLES.map((e) => (
        <Card key={e.name} className="flex flex-col gap-3 p-5">
          <div className="grid flex-1 content-start gap-1">
            <h2 className="font-semibold text-sm">{e.title}</h2>
            <p className="text-ink-2 text-sm">{e.text}</p>
          </div>
          <div>
            <Button
              icon={<Rocket aria-hidden />}
              pending={example.isPending && example.variables.example === e.name}
              disabled={example.isPending}
              onClick={() => example.mutate({ org, example: e.name })}
            >
              Deploy {e.title}
            </Button>
          </div>
        </Card>
      ))}
    </div>
  )
}
