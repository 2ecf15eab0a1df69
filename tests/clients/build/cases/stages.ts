/** Several stages, --from, --target, ONBUILD. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import type { Case } from '../case'

const stages = (name: string, dockerfile: string, more: Partial<Case> = {}): Case => ({ name, dockerfile, ...more })

/** Directories whose contents are copied. */
const TIMES = (...paths: string[]): Partial<Case> => ({
  differs: { why: 'A newer BuildKit keeps the time of a copied directory.', lines: paths.map((path) => `${path} time`) },
})

export const STAGES: Case[] = [
  stages(
    '--from a name',
    'FROM base AS build\nRUN mkdir /out && echo x > /out/f && touch -d "2005-01-02 03:04:05" /out/f\nFROM base\nCOPY --from=build /out /in\n',
  ),
  stages(
    '--from a number',
    'FROM base\nRUN echo 0 > /f\nFROM base\nRUN echo 1 > /f\nFROM base\nCOPY --from=0 /f /zero\nCOPY --from=1 /f /one\n',
  ),
  stages(
    '--from an image',
    'FROM base\nRUN echo x > /x\nFROM scratch\nCOPY --from=base /etc/passwd /p\nCOPY --from=base /opt /opt\n',
    TIMES('/opt'),
  ),
  stages(
    '--from keeps owners, modes, times, links, capabilities',
    'FROM scratch\nCOPY --from=base /opt /opt\nCOPY --from=base /home /home\nCOPY --from=base /var /v\nCOPY --from=base /opt/owned /one\n',
    TIMES('/opt', '/home', '/v'),
  ),
  stages('--from with --chown', 'FROM base\nCOPY --from=base --chown=app:more /opt /o2\n', TIMES('/o2')),
  stages(
    '--from a link',
    'FROM scratch\nCOPY --from=base /etc/alias /alias\nCOPY --from=base /var/link /l\nCOPY --from=base /abs/file /f\nCOPY --from=base /up/sub /s\n',
    TIMES('/l', '/s'),
  ),
  stages('--from with a wildcard', 'FROM scratch\nCOPY --from=base /opt/h* /etc/p* /d/\nCOPY --from=base /v*/data/f* /e/\n'),
  stages(
    '--from a file made a pipe',
    'FROM base AS b\nRUN mkdir /d && mkfifo -m 644 /d/pipe && touch -d "2005-01-02 00:00:00" /d/pipe\nFROM scratch\nCOPY --from=b /d /d\n',
    {
      differs: { why: 'This BuildKit leaves pipes out; a newer one copies them.', lines: ['/d/pipe is only in ours'] },
    },
  ),
  stages(
    '--from hard links',
    'FROM base AS b\nRUN mkdir -p /d/e && echo 1 > /d/a && ln /d/a /d/b && ln /d/a /d/e/c\nFROM base\nCOPY --from=b /d /d\n',
  ),
  stages('--from in reverse', 'FROM base AS a\nRUN echo a > /a\nFROM base AS b\nCOPY --from=a /a /b\nFROM a\nCOPY --from=b /b /c\n'),
  stages('names in any case', 'FROM base AS Build\nRUN echo 1 > /x\nFROM base\nCOPY --from=BUILD /x /y\n'),
  stages('scratch', 'FROM scratch\nCOPY f /f\nCMD ["/f"]\n', { files: { f: 'x' } }),
  stages('scratch with directories to be made', 'FROM scratch\nWORKDIR /a/b\nCOPY f c/\n', { files: { f: 'x' } }),
  stages(
    'a stage on a stage',
    'FROM base AS a\nENV A=1\nWORKDIR /w\nRUN echo a > a\nFROM a AS b\nENV B=2\nRUN echo b > b\nFROM b\nRUN cat a b > c\nCMD ["c"]\n',
  ),
  stages('--target by name', 'FROM base AS a\nRUN echo a > /a\nFROM base AS b\nRUN echo b > /b\nFROM b\nRUN false\n', { target: 'b' }),
  stages('--target by number', 'FROM base AS a\nRUN echo a > /a\nFROM base\nRUN echo b > /b\nFROM a\nRUN false\n', {
    target: '1',
    only: { builder: 'ours', why: 'The classic builder knows stages by number, this BuildKit does not.' },
  }),
  stages('--target in another case', 'FROM base AS Mixed\nRUN echo a > /a\nFROM base\nRUN false\n', { target: 'mIXED' }),
  stages('a stage that nobody needs is not run', 'FROM base AS broken\nRUN false\nFROM base\nRUN echo fine > /x\n'),
  stages(
    'stage names as base arguments',
    'ARG WHICH=one\nFROM base AS one\nRUN echo 1 > /x\nFROM base AS two\nRUN echo 2 > /x\nFROM ${WHICH}\n',
    { buildArgs: { WHICH: 'two' } },
  ),
  stages('ONBUILD runs', 'FROM BASE\nRUN echo after >> /order\n', {
    base: 'FROM base\nONBUILD RUN echo one >> /order\nONBUILD RUN echo two >> /order\nONBUILD ENV FROM_TRIGGER=1\nONBUILD WORKDIR /on\nRUN echo base > /order\n',
  }),
  stages('ONBUILD COPY', 'FROM BASE\n', { base: 'FROM base\nONBUILD COPY f /here/\nONBUILD CMD ["x"]\n', files: { f: 'x' } }),
  stages('ONBUILD is not inherited twice', 'FROM BASE AS one\nFROM one\nRUN echo x > /x\n', {
    base: 'FROM base\nONBUILD RUN echo t >> /t\n',
  }),
  stages('ONBUILD ARG', 'FROM BASE\nRUN echo "$A" > /a\n', { base: 'FROM base\nONBUILD ARG A=trigger\nONBUILD ENV B=$A\n' }),
  stages('config of the base of a stage', 'FROM configured AS one\nRUN echo x > /tmp/x\nFROM one\nENV MORE=1\n'),
  stages('WORKDIR of another stage is not taken', 'FROM base AS a\nWORKDIR /w\nRUN echo x > x\nFROM base\nCOPY --from=a w/x ./y\n'),
]
