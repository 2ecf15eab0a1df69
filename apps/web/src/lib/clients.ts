/** Commands of clients that log in to the registry and push to it; pulls come with the image (`commands`). */
export type Client = 'docker' | 'podman' | 'skopeo'

const LOOPBACK = /^(localhost|127\.|\[::1\])/

/** podman and skopeo speak http only when they are told to. */
export const loginCommand = (client: Client, host: string, isPlain: boolean, email?: string) =>
  [client, 'login', ...(isPlain && client !== 'docker' ? ['--tls-verify=false'] : []), ...(email ? ['-u', email] : []), host].join(' ')

export const pushCommands = (client: Client, host: string, isPlain: boolean, repository: string, local: string): string[] => {
  const image = `${host}/${repository}:latest`
  const plain = isPlain ? ' --tls-verify=false' : ''
  if (client === 'skopeo')
    return [`skopeo copy${isPlain ? ' --dest-tls-verify=false' : ''} docker-daemon:${local}:latest docker://${image}`]
  if (client === 'podman') return [`podman push${plain} ${local}:latest ${image}`]
  return [`docker tag ${local}:latest ${image}`, `docker push ${image}`]
}

/** What docker wants of a registry that speaks http, is not on the same machine, and is not known to it. */
export const plainHint = (host: string, isPlain: boolean) =>
  isPlain && !LOOPBACK.test(host)
    ? `This registry speaks http: name it first in docker’s daemon.json, as "insecure-registries": ["${host}"].`
    : ''
