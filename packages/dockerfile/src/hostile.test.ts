// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Dockerfiles are full of them
/** Whatever the text, the answer is a plan or a DockerfileError, and it comes soon. */
import { describe, expect, it } from 'vitest'
import { baseReferences, DockerfileError, parseDockerfile, planBuild } from './index'

/** mulberry32: failures name their seed. */
function random(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const PIECES = [
  'FROM a',
  'FROM a AS b',
  'FROM b',
  'FROM $A',
  'FROM scratch',
  'FROM --platform=$TARGETPLATFORM x',
  'ARG A=1',
  'ARG A',
  'ENV A=$B',
  'ENV A ',
  'RUN ',
  'RUN ["x"]',
  'COPY ',
  'COPY --from=b ',
  'COPY --from=0 ',
  'ADD ',
  'LABEL ',
  'EXPOSE ',
  'USER ',
  'WORKDIR ',
  'CMD ',
  'ENTRYPOINT []',
  'HEALTHCHECK ',
  'HEALTHCHECK --interval=1s CMD x',
  'SHELL ',
  'STOPSIGNAL ',
  'VOLUME ',
  'MAINTAINER ',
  'ONBUILD ',
  '# escape=`',
  '#',
  '\n',
  '\n',
  '\n',
  '\r\n',
  ' ',
  '\t',
  '\\',
  '\\\n',
  '`\n',
  "'",
  '"',
  '$',
  '${',
  '}',
  '${A:-',
  '${A:+x}',
  '${A:?',
  '[',
  ']',
  '["',
  '"]',
  ',',
  '=',
  '--',
  '--x',
  '--chown=',
  '<<EOF',
  '<<',
  '__proto__',
  'constructor',
  'a b',
  '/',
  '..',
  '/x/',
  '*',
  '\0',
  '\ufeff',
  '\u00a0',
  '\u2028',
  '😀',
  '\ud800',
  '65536',
  '1-9/udp',
] //

function attempt(text: string): void {
  try {
    const dockerfile = parseDockerfile(text)
    const resolved = new Map(baseReferences(dockerfile).map((reference) => [reference, { digest: 'sha256:0', config: {} }]))
    planBuild(dockerfile, { resolved, buildArgs: JSON.parse('{"A":"x","__proto__":"y"}') })
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw new Error(`not a DockerfileError for ${JSON.stringify(text)}`, { cause: error })
    expect(error.code).toMatch(/^[A-Z_]+$/)
    expect(error.message.length).toBeLessThan(1000)
    if (error.line !== null) expect(error.source).not.toBeNull()
  }
}

describe('hostile input', () => {
  it('never throws anything but a DockerfileError', () => {
    for (let seed = 1; seed <= 8000; seed++) {
      const next = random(seed)
      const pick = () => PIECES[Math.floor(next() * PIECES.length)] ?? ''
      const lines = Array.from({ length: 1 + Math.floor(next() * 30) }, pick)
      attempt((seed % 2 ? 'FROM a AS b\n' : '') + lines.join(seed % 3 ? '' : '\n'))
    }
  })

  it('survives cutting a real file at every place', () => {
    const text =
      '# syntax=x\nARG V="1"\nFROM a:${V} AS b\nENV A=\'x\' B="${C:-\\"d\\"}" \\\n # c\n D=e\nCOPY --from=b --chmod=755 ["a", "/b/"]\nHEALTHCHECK --interval=5s CMD ["x"]\n'
    for (let i = 0; i <= text.length; i++) attempt(text.slice(0, i))
  })

  const MIB = 1024 * 1024
  const DEADLINE = 60_000
  const big: [string, string][] = [
    ['one RUN of continuation lines', `FROM a\nRUN true${' \\\n  && true'.repeat(80_000)}`],
    ['comments', `FROM a\n${'# x\n'.repeat(260_000)}`],
    ['instructions', `FROM a\n${'ENV LONG_NAME_OF_A_VARIABLE=value-of-it and=another-value-it\n'.repeat(17_000)}`],
    ['one long ENV', `FROM a\nENV ${'A=1 '.repeat(260_000)}`],
    ['one long value', `FROM a\nENV A=${'x'.repeat(MIB - 20)}`],
    ['escapes', `FROM a\nENV A=${'\\ '.repeat(500_000)}`],
    ['dollars', `FROM a\nENV A=${'$'.repeat(MIB - 20)}`],
    ['open braces', `FROM a\nENV A=${'${a:-'.repeat(200_000)}`],
    ['quotes', `FROM a\nRUN ${'"\' '.repeat(340_000)}<<x`],
    ['brackets', `FROM a\nRUN ${'['.repeat(MIB - 20)}`],
    ['blanks', `FROM a\nRUN x${' '.repeat(MIB - 20)}y`],
    ['flags', `FROM a\nCOPY ${'--chown=1 '.repeat(100_000)}`],
    ['heredoc lookalikes', `FROM a\nRUN ${'"<<x '.repeat(200_000)}`],
    ['directive lookalikes', `#${' '.repeat(MIB - 20)}\nFROM a`],
    ['stages', `FROM a AS s0\n${Array.from({ length: 19_000 }, (_, i) => `FROM s${i} AS s${i + 1}`).join('\n')}`],
    ['stage fan', `FROM a AS s0\n${Array.from({ length: 900 }, (_, i) => `FROM a AS s${i + 1}\nCOPY --from=s${i} x y`).join('\n')}`],
    [
      'env for many RUNs',
      `FROM a\n${Array.from({ length: 8000 }, (_, i) => `ENV V${i}=${'x'.repeat(100)}`).join('\n')}\n${'RUN x\n'.repeat(900)}`,
    ],
    ['ports', `FROM a\nEXPOSE ${'1-65535 '.repeat(20)}`],
    ['labels', `FROM a\nLABEL ${Array.from({ length: 60_000 }, (_, i) => `k${i}=v${i}`).join(' ')}`],
  ]
  // Some 50 ms on an idle machine. Quadratic behaviour takes many minutes, far more than the deadline even on a busy one.
  it.each(big)('answers: %s', { timeout: DEADLINE }, (_, text) => {
    expect(text.length).toBeLessThanOrEqual(MIB)
    attempt(text)
  })

  it('parses an ordinary file of 1 MiB in linear time', { timeout: DEADLINE }, () => {
    const block =
      'RUN apt-get update \\\n # tools\n && apt-get install -y curl git\nCOPY --chown=1000:1000 src/ /app/src/\nENV A=1 B="two three" C=${A:-x}\n'
    const text = `FROM a\n${block.repeat(Math.floor((MIB - 100) / block.length))}`
    expect(parseDockerfile(text).stages[0]?.instructions.length).toBeGreaterThan(10_000)
  })

  it('refuses what is larger than 1 MiB', () => {
    expect(() => parseDockerfile(`FROM a\n${'#'.repeat(MIB)}`)).toThrowError(/larger than 1 MiB/)
    expect(() => parseDockerfile(`FROM a\n${'RUN x\n'.repeat(50_001)}`)).toThrowError(/more than 50000 instructions/)
  })

  it('refuses what would not run or not fit', () => {
    const plan = (text: string) => {
      const dockerfile = parseDockerfile(text)
      return planBuild(dockerfile, { resolved: new Map([['a', { digest: 'sha256:0', config: {} }]]) })
    }
    expect(() => plan(`FROM a\nRUN ${'x'.repeat(140_000)}`)).toThrowError(/longer than 128 KiB/)
    expect(() => plan(`FROM a\n${'RUN x\n'.repeat(1000)}`)).toThrowError(/more than 1000 steps/)
    expect(() =>
      plan(
        `FROM a\n${Array.from({ length: 400 }, (_, i) => `ENV V${i}=\${V${i - 1}:-}${'x'.repeat(100)}`).join('\n')}\n${'RUN x\n'.repeat(990)}`,
      ),
    ).toThrowError(/32 MiB/)
  })
})
