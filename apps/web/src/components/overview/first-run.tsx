'use client'
import { Button, Card, CardHeader, Command, Link, LinkButton, PageHead, RowLink, Table, Td, TimeAgo, Tr } from '@slipway/ui'
import { useMutation, useQuery } from '@tanstack/react-query'
import { BookOpen, GitBranch, Package, Rocket } from 'lucide-react'
import { useRouter } from 'next/navigation'
import type { ReactNode } from 'react'
import { routes } from '@/lib/routes'
import { useTRPC } from '@/lib/trpc'

/** Deploys one of the examples and goes where it can be watched. */
export function useExample(org: string) {
  const trpc = useTRPC()
  const router = useRouter()
  return useMutation(
    trpc.apps.createExample.mutationOptions({
      onSuccess: ({ app, build }) => router.push(build === null ? routes.app(org, app) : routes.build(org, app, build)),
    }),
  )
}

/** The first page of a new organization: three ways to a running URL, the shortest one first. */
export function FirstRun({ org }: { org: string }) {
  const example = useExample(org)
  return (
    <>
      <PageHead title="From a push to a running URL" />
      <Card className="border-accent-line">
        <div className="flex flex-wrap items-center gap-x-6 gap-y-4 p-5">
          <span className="grid size-10 place-items-center rounded-md bg-accent-soft text-accent">
            <Rocket className="size-5" aria-hidden />
          </span>
          <div className="min-w-0 flex-1 basis-72">
            <h2 className="font-semibold text-base">Deploy the example</h2>
            <p className="text-ink-2 text-sm">
              A small web server, built from its Dockerfile. It takes a few seconds and shows every hop of the way: push, build, publish,
              start, switch.
            </p>
          </div>
          <Button
            variant="primary"
            onClick={() => example.mutate({ org, example: 'hello' })}
            pending={example.isPending}
            icon={<Rocket aria-hidden />}
          >
            Deploy the example
          </Button>
        </div>
      </Card>
      <div className="grid gap-5 md:grid-cols-3">
        <Choice
          icon={<GitBranch aria-hidden />}
          title="From a Git repository"
          text="Slipway builds the Dockerfile on every push and replaces the running version once the new one is healthy."
          action={<LinkButton href={routes.newApp(org)}>New app</LinkButton>}
        />
        <Choice
          icon={<Package aria-hidden />}
          title="From an image"
          text="Run an image of your registry, of Docker Hub or of any other registry."
          action={<LinkButton href={routes.newApp(org, { source: 'image' })}>Choose an image</LinkButton>}
        />
        <Choice
          icon={<BookOpen aria-hidden />}
          title="A larger example"
          text="A guestbook on Node in two build stages, with packages installed during the build. Needs the Node base image."
          action={
            <Button onClick={() => example.mutate({ org, example: 'guestbook' })} disabled={example.isPending}>
              Deploy the guestbook
            </Button>
          }
        />
      </div>
      <Pushed org={org} />
      <Card>
        <CardHeader title="From the command line" aside="an API key is made under Account" />
        <div className="grid gap-2 p-4 md:grid-cols-2">
          <Command>npx slipway login</Command>
          <Command>npx slipway apps create --git https://github.com/you/app.git</Command>
        </div>
      </Card>
    </>
  )
}

/** For who uses the registry alone: there is more than nothing here. */
function Pushed({ org }: { org: string }) {
  const { data } = useQuery(useTRPC().images.repositories.queryOptions({ org, limit: 5, sort: 'pushed', order: 'desc' }))
  if (!data || data.total === 0) return null
  return (
    <Card>
      <CardHeader
        title="Pushed lately"
        aside={
          <Link href={routes.images(org)} className="hover:text-ink">
            {data.total === 1 ? '1 repository' : `All ${data.total.toLocaleString('en')} repositories`}
          </Link>
        }
      />
      <Table>
        <tbody>
          {data.items.map((repository) => (
            <Tr key={repository.name} interactive>
              <Td className="w-full max-w-0">
                <RowLink href={routes.repository(org, repository.name)} className="block truncate font-medium">
                  {repository.name}
                </RowLink>
              </Td>
              <Td right className="text-ink-2">
                {repository.lastPushedAt ? <TimeAgo at={repository.lastPushedAt} /> : '–'}
              </Td>
            </Tr>
          ))}
        </tbody>
      </Table>
    </Card>
  )
}

function Choice({ icon, title, text, action }: { icon: ReactNode; title: string; text: string; action: ReactNode }) {
  return (
    <Card className="flex flex-col gap-3 p-5">
      <span className="grid size-8 place-items-center rounded-md border border-line bg-sunken text-ink-2 [&_svg]:size-4">{icon}</span>
      <div className="grid flex-1 content-start gap-1">
        <h2 className="font-semibold text-sm">{title}</h2>
        <p className="text-ink-2 text-sm">{text}</p>
      </div>
      <div>{action}</div>
    </Card>
  )
}
