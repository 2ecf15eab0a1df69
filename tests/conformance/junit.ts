/** A JUnit report, as far as a conformance suite's checks need it. */
export interface Check {
  name: string
  /** `passed`, `skipped`, `failure` or `error`. */
  status: string
  /** What the check said when it did not pass. */
  output: string
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const text = (xml: string) =>
  xml.replace(/&(?:#x([0-9a-f]+)|#(\d+)|([a-z]+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
  })

/** `total`: as the report counts, which may count groups of checks, too. */
export function parseJunit(xml: string): { total: number; checks: Check[] } {
  const total = Number(/<testsuites [^>]*\btests="(\d+)"/.exec(xml)?.[1] ?? 0)
  const checks = [...xml.matchAll(/<testcase ([^>]*)>(.*?)<\/testcase>/gs)].map(([, attributes = '', body = '']) => {
    const attribute = (name: string) => text(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '')
    const status = attribute('status')
    const output = status === 'passed' ? '' : text(/<system-out>(.*?)<\/system-out>/s.exec(body)?.[1] ?? '')
    return { name: attribute('name'), status, output }
  })
  return { total, checks }
}
