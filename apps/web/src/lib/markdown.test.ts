import { expect, it } from 'vitest'
import { type MarkdownNode, parseMarkdown, safeHref, textOf } from './markdown'

/** As nested lists: tag, address, children. */
const short = (nodes: readonly MarkdownNode[]): unknown[] =>
  nodes.map((node) => (typeof node === 'string' ? node : [node.href ? `${node.tag} ${node.href}` : node.tag, ...short(node.children)]))
const parse = (source: string) => short(parseMarkdown(source))
const addresses = (source: string): string[] => {
  const all = (nodes: readonly MarkdownNode[]): string[] =>
    nodes.flatMap((node) => (typeof node === 'string' ? [] : [...(node.href ? [node.href] : []), ...all(node.children)]))
  return all(parseMarkdown(source))
}

it('reads what a README has', () => {
  expect(parse('# Shop\n\nThe *best* **one** ~~ever~~, `v1`.\n\n- a\n- b\n')).toEqual([
    ['h1', 'Shop'],
    ['p', 'The ', ['em', 'best'], ' ', ['strong', 'one'], ' ', ['s', 'ever'], ', ', ['code', 'v1'], '.'],
    ['ul', ['li', 'a'], ['li', 'b']],
  ])
  expect(parse('```sh\nnpm start\n```\n\n3. c\n\n---\n')).toEqual([['pre', 'npm start'], ['ol', ['li', 'c']], ['hr']])
  expect(parse('| a | b |\n|---|--:|\n| 1 | 2 |\n')).toEqual([
    ['table', ['thead', ['tr', ['th', 'a'], ['th', 'b']]], ['tbody', ['tr', ['td', '1'], ['td', '2']]]],
  ])
  expect(parse('See https://example.com/a and README.md, [here](#How-to Use it) or [there](#how-to)')).toEqual([
    [
      'p',
      'See ',
      ['a https://example.com/a', 'https://example.com/a'],
      ' and README.md, [here](#How-to Use it) or ',
      ['a #readme-how-to', 'there'],
    ],
  ])
})

it('gives headings ids of their own', () => {
  expect(parseMarkdown('## How to: *use* it!')).toMatchObject([{ tag: 'h2', id: 'readme-how-to-use-it' }])
})

it('knows tasks that are done and that are not', () => {
  const [list] = parseMarkdown('- [ ] write\n- [x] *read*\n- [link](https://a.example)\n- [X]no\n')
  expect(list).toMatchObject({
    children: [{ done: false, children: ['write'] }, { done: true, children: ['', { tag: 'em' }] }, {}, { children: ['[X]no'] }],
  })
  expect(parseMarkdown('- [ ] a\n\n- [x] b\n')).toMatchObject([
    {
      children: [
        { done: false, children: [{ tag: 'p', children: ['a'] }] },
        { done: true, children: [{ tag: 'p', children: ['b'] }] },
      ],
    },
  ])
})

it.each([
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  ' javascript:alert(1)',
  '&#106;avascript:alert(1)',
  'java\tscript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'file:///etc/passwd',
  'blob:https://x',
  '//evil.example/x',
  '/acme/settings',
  'docs/readme.md',
  'https://slipway.example@evil.example/',
  'https://',
])('follows no link to %s', (href) => {
  expect(safeHref(href)).toBeUndefined()
  expect(addresses(`[x](<${href}>) [y][r] <${href}> ![i](<${href}>)\n\n[r]: <${href}>\n`)).toEqual([])
})

it('leaves raw HTML out, and keeps the text beside it', () => {
  expect(parse('<script>alert(1)</script>\n\nHi <b onclick="x">there</b> <img src=x onerror=alert(1)>\n\n<!-- no -->')).toEqual([
    ['p', 'Hi ', 'there', ' '],
  ])
  expect(parse('<iframe src="https://evil.example"></iframe>')).toEqual([])
})

it('makes a link of an image, and text of one that is nowhere', () => {
  expect(parse('![Build *state*](https://ci.example/badge.svg)')).toEqual([['p', ['image https://ci.example/badge.svg', 'Build state']]])
  // As badges are: the link around it is the one that counts.
  expect(parse('[![Build](https://ci.example/badge.svg)](https://ci.example/)')).toEqual([['p', ['a https://ci.example/', 'Build']]])
  expect(parse('[![Build](https://ci.example/badge.svg)](javascript:x)')).toEqual([['p', ['image https://ci.example/badge.svg', 'Build']]])
  expect(parse('![](./logo.png)')).toEqual([['p', 'image']])
})

it('takes what was made to be deep or long', () => {
  for (const part of ['>', '[', '*', '![', '`', '- ', '<', '|', '&#', '\\', '~~', '1. '])
    expect(textOf(parseMarkdown(part.repeat(Math.floor(65_536 / part.length)))).length).toBeLessThan(200_000)
})
