/** ARG and ENV: scope and expansion. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import type { Case } from '../case'

const vars = (name: string, dockerfile: string, more: Partial<Case> = {}): Case => ({ name, dockerfile, ...more })

/** The history of an ARG. */
const given = (...lines: string[]): Partial<Case> => ({ differs: { why: 'A newer BuildKit writes the value that was given, too.', lines } })

export const VARIABLES: Case[] = [
  vars('ARG before FROM', 'ARG B=base\nFROM ${B}\nARG B\nRUN echo "[$B]" > /x\n', given('history[1]')),
  vars('ARG before FROM is not seen without ARG', 'ARG B=base\nFROM $B\nRUN echo "[$B]" > /x\nENV C=[$B]\n'),
  vars('ARG with a build argument', 'FROM base\nARG A=default\nARG B\nRUN echo "$A $B" > /x\nENV C=$A\n', {
    buildArgs: { A: 'given', B: 'b c' },
    ...given('history[1]', 'history[2]'),
  }),
  vars('ARG of ARG', 'ARG V=1\nARG W=x$V\nFROM base\nARG W\nARG Y=${W}y\nENV Z=$Y\n', given('history[1]')),
  vars('ARG is over with its stage', 'FROM base AS one\nARG A=1\nFROM base\nENV B=[$A]\nCOPY --from=one /etc/passwd /p\n'),
  vars('ARG is inherited from the stage before', 'FROM base AS one\nARG A=1\nFROM one\nENV B=[$A]\nRUN echo "[$A]" > /x\n', {
    differs: { why: 'The step did see it, so its history says so.', lines: ['history[3]'] },
  }),
  vars('ENV wins over ARG', 'FROM base\nENV A=env\nARG A=arg\nRUN echo $A > /x\nENV B=$A\n', {
    buildArgs: { A: 'given' },
    ...given('history[2]'),
  }),
  vars('ARG after ENV of the base', 'FROM configured\nARG FROM_BASE=arg\nENV B=$FROM_BASE\n', {
    buildArgs: { FROM_BASE: 'x' },
    ...given('history[1]'),
  }),
  vars('ARG twice', 'FROM base\nARG A=1\nENV B=$A\nARG A=2\nENV C=$A\n'),
  vars('ARG unset', 'FROM base\nARG A\nENV B=${A:-none} D=[$A]\nRUN echo "${A-unset}" > /x\n'),
  vars('ARG empty', 'FROM base\nARG A=\nENV B=${A:-none} C=[$A]\n'),
  vars('a default without a colon', 'FROM base\nENV C=${A-none}\n', {
    only: { builder: 'ours', why: 'This BuildKit does not know it yet.' },
  }),
  vars(
    'prefixes, suffixes and replacements',
    'FROM base\nENV A=a.b.c\nENV B=${A#*.} C=${A##*.} D=${A%.*} E=${A%%.*} F=${A/./-} G=${A//./-}\n',
    {
      only: { builder: 'ours', why: 'This BuildKit does not know them yet.' },
    },
  ),
  vars('predefined proxies', 'FROM base\nRUN echo "[$HTTP_PROXY]" > /x\n', { buildArgs: { HTTP_PROXY: 'http://p:1' } }),
  vars(
    'platform arguments',
    'FROM base\nARG TARGETPLATFORM\nARG TARGETARCH\nARG TARGETOS\nARG BUILDPLATFORM\nRUN echo "$TARGETPLATFORM $TARGETARCH $TARGETOS $BUILDPLATFORM" > /x\n',
    given('history[1]', 'history[2]', 'history[3]', 'history[4]'),
  ),
  vars('defaults', 'FROM base\nENV A=x\nENV B=${A:-d} C=${N:-d} D=${N:-} E=${N:-$A} F=${N:-${A}y} G=${A:+alt} H=${N:+alt} I=${A:+${A}z}\n'),
  vars('one ENV sees none of itself', 'FROM base\nENV A=1\nENV A=2 B=$A\nENV C=$A\n'),
  vars('escapes', 'FROM base\nENV A=v\nENV B=\\$A C=\\${A} D="\\$A" E=\'$A\' F=a\\\\b G=$A$A H=${A}x I=$Ax\n'),
  vars(
    'in every instruction',
    'FROM base\nENV D=/d P=81 U=app S=SIGINT L=lab\nWORKDIR $D\nCOPY f $D/$L\nADD f $D/a$L\nEXPOSE $P/tcp\nUSER $U\nSTOPSIGNAL $S\nLABEL $L=$D "x$L"="y"\nVOLUME $D/v\nCMD echo $D\n',
    { files: { f: 'x' } },
  ),
  vars(
    'not in CMD, ENTRYPOINT, RUN exec',
    'FROM base\nENV A=1\nRUN ["sh", "-c", "echo $A > /x"]\nENTRYPOINT ["$A"]\nCMD ["${A}"]\nHEALTHCHECK CMD ["$A"]\n',
  ),
  vars('a tilde, a star, a quote in values', 'FROM base\nENV A=~ B=* C="it\'s" D=\'a"b\' E=a=b\n'),
  vars('special names', 'FROM base\nENV a.b=1 x-y=2 _z=3\nENV R=$_z\n'),
  vars(
    'RUN sees args and env in order',
    'FROM base\nARG A=1\nENV B=2\nRUN env | sort | grep -E "^(A|B|PATH|HOME|USER|HOSTNAME|TERM|PWD|SHLVL|OLDPWD)" | grep -v HOSTNAME > /env\n',
  ),
  vars('RUN as a user sees HOME', 'FROM base\nUSER app\nRUN echo "$HOME" > /tmp/home; cd; pwd > /tmp/pwd\n'),
  vars('args in the history of RUN', 'FROM base\nARG A=1\nARG B\nRUN true > /x\nRUN echo $B > /y\n', {
    buildArgs: { B: 'two words' },
    ...given('history[2]'),
  }),
]
