import { expect, it } from 'vitest'
import { highlightDockerfile } from './highlight-dockerfile'

const kinds = (text: string) =>
  highlightDockerfile(text).map((tokens) => tokens.filter((t) => t.kind !== 'plain').map((t) => `${t.kind}:${t.text}`))

it('colours keywords, flags, strings, variables and comments', () => {
  expect(kinds('# syntax=docker/dockerfile:1\nFROM node:20 AS build\nCOPY --from=base "a b" $HOME/')).toEqual([
    ['comment:# syntax=docker/dockerfile:1'],
    ['keyword:FROM', 'keyword:AS'],
    ['keyword:COPY', 'flag:--from=base', 'string:"a b"', 'variable:$HOME'],
  ])
})
it('takes no word of a continued line or of a heredoc for an instruction', () => {
  expect(kinds('RUN true && \\\n  # why\n  RUN\nRUN <<EOF\nCOPY x\nEOF\nUSER me')).toEqual([
    ['keyword:RUN'],
    ['comment:  # why'],
    [],
    ['keyword:RUN'],
    ['string:COPY x'],
    ['string:EOF'],
    ['keyword:USER'],
  ])
})
it('loses no character, whatever the text is', () => {
  for (const text of ['', '\n\n', 'RUN "unfinished', "a 'b\n\t$", `${'x'.repeat(250_000)}\nRUN y`, `FROM \${A:-"b"} --x`])
    expect(
      highlightDockerfile(text)
        .map((tokens) => tokens.map((t) => t.text).join(''))
        .join('\n'),
    ).toBe(text)
})
