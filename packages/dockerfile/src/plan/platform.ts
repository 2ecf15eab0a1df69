export interface Platform {
  os: 'linux'
  architecture: string
  variant?: string
}

const ARCHITECTURES: ReadonlyMap<string, [architecture: string, variant?: string]> = new Map([
  ['x86_64', ['amd64']],
  ['x86-64', ['amd64']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['i386', ['386']],
])

/** `linux/amd64`, `linux/arm/v7`, `amd64`, `linux` → a platform; null when it is none for Linux. */
export function parsePlatform(text: string, fallback: Platform = { os: 'linux', architecture: 'amd64' }): Platform | null {
  const parts = text.toLowerCase().split('/')
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]{1,40}$/.test(part))) return null
  if (parts.length === 1 && parts[0] === 'linux') return fallback
  const [os, arch, given] = parts.length === 1 ? ['linux', parts[0] ?? '', undefined] : [parts[0], parts[1] ?? '', parts[2]]
  if (os !== 'linux') return null
  const [architecture, implied] = ARCHITECTURES.get(arch) ?? [arch]
  const variant = given ?? implied
  // arm64/v8 and amd64/v1 are the plain architectures.
  if (!variant || (architecture === 'arm64' && variant === 'v8') || (architecture === 'amd64' && variant === 'v1'))
    return { os, architecture }
  return { os, architecture, variant }
}

export const formatPlatform = (p: Platform) => `${p.os}/${p.architecture}${p.variant ? `/${p.variant}` : ''}`

export const samePlatform = (a: Platform, b: Platform) => a.architecture === b.architecture && (a.variant ?? '') === (b.variant ?? '')

/** Whether a machine of one platform runs programs of another; nothing is emulated. */
export const runsOn = (host: Platform, p: Platform) =>
  host.architecture === p.architecture || (host.architecture === 'amd64' && p.architecture === '386')

/** The arguments Docker defines in the global scope. */
export function platformArgs(build: Platform, targetPlatform: Platform, target: string): [string, string][] {
  const out: [string, string][] = []
  for (const [prefix, platform] of [
    ['BUILD', build],
    ['TARGET', targetPlatform],
  ] as const) {
    out.push([`${prefix}PLATFORM`, formatPlatform(platform)], [`${prefix}OS`, platform.os], [`${prefix}OSVERSION`, ''])
    out.push([`${prefix}ARCH`, platform.architecture], [`${prefix}VARIANT`, platform.variant ?? ''])
  }
  out.push(['TARGETSTAGE', target || 'default'])
  return out
}

/** Build arguments that reach every RUN without an ARG. */
export const PROXY_ARGS: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
)
