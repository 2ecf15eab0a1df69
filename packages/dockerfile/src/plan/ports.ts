export interface ExposedPorts {
  /** `8080/tcp`, … */
  ports: string[]
  /** An address or a port of the host stands before it, which an image cannot choose. */
  mapped: boolean
}

/** `8080`, `8080/udp`, `8000-8010/tcp` → `8000/tcp`, …; of `127.0.0.1:80:8080` the container's; null when the text is no port. */
export function parsePorts(text: string): ExposedPorts | null {
  const parts = text.split(':')
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(parts.at(-1) ?? '')
  const range = numbers(match?.[1], match?.[2])
  if (!match || !range || !isHost(parts.at(-2)) || !isAddress(parts.slice(0, -2).join(':'))) return null
  const protocol = (match[3] ?? 'tcp').toLowerCase()
  const ports = Array.from({ length: range.last - range.first + 1 }, (_, i) => `${range.first + i}/${protocol}`)
  return { ports, mapped: parts.length > 1 }
}

function numbers(from = '', to = from): { first: number; last: number } | null {
  const [first, last] = [Number(from), Number(to)]
  return first < 1 || last > 65_535 || last < first ? null : { first, last }
}

/** Empty where the host is to choose one. */
function isHost(text = ''): boolean {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  return text === '' || (match !== null && numbers(match[1], match[2]) !== null)
}

const isAddress = (text: string) => /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\]|)$/i.test(text)
