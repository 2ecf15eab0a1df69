import type { views } from '@slipway/contracts'
import { Card, CardHeader, Command } from '@slipway/ui'

export function HowToPull({ example, registryHost }: { example: views.UpstreamView; registryHost: string }) {
  const image = example.host === 'docker.io' ? 'library/nginx' : 'team/app'
  const prefix = example.prefix.slice(example.prefix.indexOf('/') + 1)
  return (
    <Card>
      <CardHeader title="Pull through it" />
      <div className="grid gap-4 p-4 text-sm">
        <p className="text-ink-2">
          In a Dockerfile and for an app, write the image as always:{' '}
          <code className="font-mono text-xs">{shortName(example.host, image)}</code>. From a computer, put our registry in front:
        </p>
        <Command label="Copy the pull command">{`docker pull ${registryHost}/${prefix}/${image}`}</Command>
        <p className="text-ink-2">containerd takes it as a mirror (/etc/containerd/certs.d/{example.host}/hosts.toml):</p>
        <Command label="Copy containerd’s setting">{`server = "https://${example.host === 'docker.io' ? 'registry-1.docker.io' : example.host}"\n\n[host."http://${registryHost}"]\n  capabilities = ["pull", "resolve"]`}</Command>
        {example.host === 'docker.io' && (
          <p className="text-ink-3 text-xs leading-5">
            Docker’s own registry-mirrors setting needs an address where every name is Docker Hub’s: start the registry with
            SLIPWAY_REGISTRY_MIRROR_PORT, and let Docker Hub be pulled without a login.
          </p>
        )}
      </div>
    </Card>
  )
}

const shortName = (host: string, image: string) => (host === 'docker.io' ? image.replace('library/', '') : `${host}/${image}`)
