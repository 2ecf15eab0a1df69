import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'

export type { Browser, Page }

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

const axeSource = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** WCAG 2 A and AA, contrast included; names each finding and where. */
export async function expectAccessible(page: Page, name: string): Promise<void> {
  // Colours in the middle of a transition are no finding.
  await page.waitForTimeout(250)
  // Through the debugger: the page's own content policy, rightly, refuses injected script tags.
  await page.evaluate(readFileSync(axeSource, 'utf8'))
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          root: Document,
          options: object,
        ): Promise<{ violations: { id: string; help: string; nodes: { target: string[]; failureSummary?: string }[] }[] }>
      }
    }
    const result = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })
    return result.violations.map(
      (v) =>
        `${v.id}: ${v.help} — ${v.nodes
          .map((n) => `${n.target.join(' ')} (${n.failureSummary?.split('\n')[1]?.trim()})`)
          .slice(0, 4)
          .join('; ')}`,
    )
  })
  expect(violations, `accessibility of ${name}`).toEqual([])
}

/** A push as GitHub announces it. */
export function githubPush(
  secret: string,
  body: { branch: string; sha: string; id: string },
): { headers: Record<string, string>; body: string } {
  const text = JSON.stringify({
    ref: `refs/heads/${body.branch}`,
    after: body.sha,
    deleted: false,
    head_commit: { id: body.sha, message: 'pushed', author: { name: 'Ada' } },
    repository: { full_name: 'ada/app' },
  })
  return {
    headers: {
      'content-type': 'application/json',
      'x-github-event': 'push',
      'x-github-delivery': body.id,
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`,
    },
    body: text,
  }
}
