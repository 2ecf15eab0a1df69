/** Commands that work as they are, for clients that reach the registry under the panel's host. */
import { OWN_REGISTRY_HOST, type views } from '@slipway/contracts'
import { registryHost, registryIsPlain, type ServicesConfig } from '../deps'

interface Image {
  /** `acme/shop` */
  path: string
  /** `:1.2` or `@sha256:…` */
  reference: string
}

/** What a login would add to the commands of a client that takes one on the command line. */
const asUser = (flag: string, credentials?: string) => (credentials ? ` --${flag} ${credentials}` : '')

/** docker takes plain http from localhost alone; podman and skopeo take it nowhere unless they are told. */
export function pullCommands(config: ServicesConfig, { path, reference }: Image, credentials?: string): views.PullCommandsView {
  const image = `${registryHost(config)}/${path}${reference}`
  const plain = registryIsPlain(config)
  return {
    docker: `docker pull ${image}`,
    podman: `podman pull${plain ? ' --tls-verify=false' : ''}${asUser('creds', credentials)} ${image}`,
    skopeo: `skopeo copy${plain ? ' --src-tls-verify=false' : ''}${asUser('src-creds', credentials)} docker://${image} oci:image`,
  }
}

/** By the name that apps and Dockerfiles of this installation know it by. */
export function ownCommands({ path, reference }: Image): { slipway: string; dockerfile: string } {
  const image = `${OWN_REGISTRY_HOST}/${path}${reference}`
  return { slipway: `npx slipway apps create --image ${image} --wait`, dockerfile: `FROM ${image}` }
}
