/** Instructions that only change the config, and WORKDIR. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import type { Case } from '../case'

const NO_EMPTY_LAYER = 'WORKDIR of a directory that is there makes no layer; BuildKit makes an empty one.'
const GROUPS = 'The own group counts as a supplementary one, too: the fix of CVE-2022-36109, which this BuildKit lacks.'

const config = (name: string, lines: string, more: Partial<Case> = {}): Case => ({ name, dockerfile: `FROM base\n${lines}\n`, ...more })
const on = (name: string, lines: string, more: Partial<Case> = {}): Case => ({ name, dockerfile: `FROM configured\n${lines}\n`, ...more })

export const CONFIG: Case[] = [
  config('nothing', ''),
  on('nothing, on a configured base', ''),
  config('ENV in both forms', 'ENV A=1 B="two words" C=three\\ words\nENV D the rest of "the" line\nENV E=\nENV A=again'),
  on('ENV keeps its order', 'ENV NEW=1\nENV FROM_BASE=2\nENV PATH=/x:$PATH'),
  config('ENV quotes and escapes', `ENV A='single $X' B="double \\"q\\" $X" C=a\\$b D="\\t" E=a'b'c"d"\nENV F='a\\'`),
  config('ENV over lines', 'ENV A=1 \\\n    B=2 \\\n# a comment\n\n    C=3'),
  config('LABEL', 'LABEL a=1 "b.c"="two words" d="x \\\n y"\nLABEL a=2 e\\ f=g\nLABEL one two three'),
  on('LABEL over the base', 'LABEL kept=new other=$FROM_BASE'),
  config('LABEL quoting', `LABEL a="q\\"q" b='s"s' c="\\$x" d=$NO e="$NO" multi="1\\\n2"`),
  config('EXPOSE', 'EXPOSE 80 443/tcp 53/udp 8000-8003 9000-9001/udp\nENV P=7\nEXPOSE $P'),
  on('EXPOSE adds', 'EXPOSE 80 81/TCP'),
  config('VOLUME', 'VOLUME /a /b\nVOLUME ["/c d", "/e"]\nENV V=/v\nVOLUME $V/x'),
  config('CMD shell', 'CMD echo  "$HOME"   && true'),
  config('CMD exec', 'CMD ["a", "b c", "$HOME"]'),
  config('CMD empty', 'CMD []'),
  config('CMD that only looks like JSON', "CMD ['a', 'b']"),
  config('CMD twice', 'CMD a\nCMD ["b"]'),
  config('ENTRYPOINT shell', 'ENTRYPOINT exec top -b'),
  config('ENTRYPOINT after CMD', 'CMD ["x"]\nENTRYPOINT ["e", "f"]'),
  on('ENTRYPOINT resets CMD of the base', 'ENTRYPOINT ["e"]'),
  on('ENTRYPOINT does not reset CMD set before', 'CMD ["mine"]\nENTRYPOINT ["e"]'),
  on('ENTRYPOINT empty', 'ENTRYPOINT []'),
  on('CMD on a base with an entrypoint', 'CMD ["just", "cmd"]'),
  config('SHELL', 'SHELL ["/bin/sh", "-ec"]\nCMD a b\nENTRYPOINT c d\nRUN echo x > /x\nHEALTHCHECK CMD true x'),
  config('USER', 'USER app\nUSER 1000:3000\nENV U=other\nUSER $U:$U'),
  on('USER of a name that is not there', 'USER nobody-here'),
  config('STOPSIGNAL', 'STOPSIGNAL SIGTERM'),
  config('STOPSIGNAL by number', 'STOPSIGNAL 9'),
  config('HEALTHCHECK shell', 'HEALTHCHECK --interval=5s --timeout=1m30s --start-period=2s --retries=3 CMD curl -f http://x || exit 1'),
  config('HEALTHCHECK exec', 'HEALTHCHECK --interval=1h CMD ["a", "b"]'),
  on('HEALTHCHECK NONE', 'HEALTHCHECK NONE'),
  on('HEALTHCHECK over the base', 'HEALTHCHECK CMD x'),
  config('MAINTAINER', 'MAINTAINER Some One <some@example.com>'),
  config('WORKDIR', 'WORKDIR /a/b\nWORKDIR c\nWORKDIR ../d\nRUN pwd > /pwd'),
  config('WORKDIR with variables', 'ENV D=/x E=y\nWORKDIR $D/${E}\nWORKDIR "q t"\nWORKDIR ${NONE:-def}'),
  config('WORKDIR that is there', 'WORKDIR /var/data', { differs: { why: NO_EMPTY_LAYER, lines: ['history[1]', 'layers: 1 ≠ 2'] } }),
  config('WORKDIR with a trailing slash', 'WORKDIR /a/b/\nWORKDIR /a//c/./d/..', {
    differs: { why: 'A newer BuildKit cleans the path, too.', lines: ['config.WorkingDir', 'history[1]', 'history[2]'] },
  }),
  config('WORKDIR as a user', 'USER app\nWORKDIR /of/app\nRUN id -u > /tmp/u; pwd > /tmp/p'),
  config('WORKDIR through a link', 'WORKDIR /var/link/new\nRUN pwd > /p; echo x > here'),
  config('WORKDIR relative to /', 'WORKDIR rel\nCOPY f .', { files: { f: 'x' } }),
  on('WORKDIR relative to the base’s', 'WORKDIR sub\nWORKDIR new', {
    differs: { why: NO_EMPTY_LAYER, lines: ['history[1]', 'layers: 2 ≠ 3'] },
  }),
  on('RUN, COPY and WORKDIR as the base’s user', 'RUN id > /tmp/id; pwd > /tmp/pwd\nCOPY f f\nWORKDIR made', {
    files: { f: 'x' },
    differs: { why: GROUPS, lines: ['/tmp/id size', '/tmp/id content'] },
  }),
  config('ONBUILD is kept', 'ONBUILD RUN echo x\nONBUILD COPY . /src\nONBUILD ENV A=$B\nONBUILD   workdir   /x'),
  config('lower case and mixed case', 'env A=1\nrun echo 1 > /x\ncopy f /f\nCmd ["x"]', { files: { f: 'x' } }),
  config('the escape directive', '', {
    dockerfile: '# escape=`\nFROM base\nENV A=a`\n  B=b\nRUN echo one `\n && echo two > /x\nENV C=c:\\d\n',
  }),
  config(
    'history of all',
    'ARG X=1\nENV A=$X\nRUN echo $X > /x\nLABEL l=$A\nEXPOSE 1\nUSER app\nVOLUME /v\nSTOPSIGNAL 3\nSHELL ["/bin/sh","-c"]\nCMD ["c"]\nWORKDIR /new',
  ),
  config('comments and blank lines', '', {
    dockerfile:
      '# a comment\n\n   # indented\nFROM base\n\n  ENV A=1\n# between\nRUN echo a \\\n# within\n   \n  && echo "# b" > /x\nENV B="#no comment" # C=2\n'.replace(
        ' # C=2',
        '',
      ),
  }),
]
