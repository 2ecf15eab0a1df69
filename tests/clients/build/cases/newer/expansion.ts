/** Expansions of variables, and what else a newer BuildKit does otherwise than Debian's. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import type { Case } from '../../case'

const env = (name: string, lines: string, more: Partial<Case> = {}): Case => ({ name, dockerfile: `FROM base\n${lines}\n`, ...more })

export const EXPANSION: Case[] = [
  env('defaults without a colon', 'ENV A= \nENV B=${A-d} C=${N-d} D=${A+alt} E=${N+alt} F=${A:-d} G=${A:+alt}'),
  env('prefixes', 'ENV A=a.b.c.a.b\nENV B=${A#a} C=${A#*.} D=${A##*.} E=${A#x} F=${A##a*} G=${A#?} H=${A##*} I=${A#a.b}'),
  env('suffixes', 'ENV A=a.b.c.a.b\nENV B=${A%b} C=${A%.*} D=${A%%.*} E=${A%x} F=${A%%*b} G=${A%?} H=${A%%*} I=${A%a.b}'),
  env('replacements', 'ENV A=a.b.a.b\nENV B=${A/a/x} C=${A//a/x} D=${A/./} E=${A//./-} F=${A/n/x} H=${A/a.b/y} I=${A//?/z}'),
  env('replacements by stars', 'ENV A=foo-bar-baz\nENV B=${A/-*/_} C=${A//b*/_} D=${A/*-/_} E=${A//-?/_} F=${A/-b*-/_}'),
  env('patterns with escapes', 'ENV A=a*b*c\nENV B=${A#a\\*} C=${A/\\*/x} D=${A//\\*/x} E=${A%\\*c}'),
  env('patterns from variables', 'ENV A=abcabc P=b R=X\nENV B=${A/$P/$R} C=${A//${P}/${R}} D=${A#a$P} E=${A%${P}c}'),
  env('unicode', 'ENV A=äöüäöü\nENV B=${A#ä} C=${A%?} D=${A//ö/o} E=${A#?}'),
  env('of what is not set', 'ENV B=${N#x} C=${N%x} D=${N/x/y} E=${N//x/y}'),
  env('in other instructions', 'ENV V=1.2.3\nWORKDIR /w/${V%.*}\nLABEL v=${V//./_}\nEXPOSE ${V%%.*}80\nCOPY f /f-${V##*.}', {
    files: { f: 'x' },
  }),
  env('nested', 'ENV A=abc\nENV B=${N:-${A#a}} C=${A:+${A%c}} D=${N:-${M:-x${A}y}}'),
  env('in quotes', 'ENV A=a.b\nENV B="${A#*.} c" C=\'${A#*.}\' D="x${A/./ }y"'),
  env('an error of one’s own', 'ENV B=${N:?is needed}', { refused: true }),
  env('an error that does not come', 'ENV A=1\nENV B="${A:?is needed}" C=${A?x}'),
  env('a class is no pattern', 'ENV A=abc\nENV B=${A#[a]}'),
  env('ARG with expansions', 'ARG A=a.b\nARG B=${A%.*}\nENV C=$B'),
  env('FROM with expansions', '', { dockerfile: 'ARG B=xbase\nFROM ${B#x}\nRUN true > /x\n' }),
  env('several ARGs on a line', 'ARG A=1 B=2 C\nENV D=$A$B${C:-3}'),
  env('WORKDIR on the way', 'WORKDIR a\nWORKDIR ../b/./c\nWORKDIR /x/y'),
  env('WORKDIR with slashes too many', 'WORKDIR /x//y/', {
    newer: { why: 'The same directory, by its shortest name.', lines: ['config.WorkingDir', 'history[1]'] },
  }),
  env('ENV in the old form', 'ENV A b  c\nENV B   x=y'),
  env('LABEL with all kinds of quotes', 'LABEL a="x y" b=\'z $HOME\' "c d"=e f=g\\ h'),
  env('HEALTHCHECK --start-interval', 'HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --start-interval=2s --retries=4 CMD true'),
  env('a directive of checks', '', { dockerfile: '# check=skip=all\n# escape=`\nFROM base\nRUN echo a `\n  > /x\n' }),
  env('comments between', 'RUN echo a \\\n# comment\n\n  > /x\n# end'),
  env('EXPOSE of a range and protocols', 'EXPOSE 80 81/udp 90-92 100/TCP'),
  env('STOPSIGNAL by number', 'STOPSIGNAL 9'),
  env('USER with variables and groups', 'ARG U=app\nUSER ${U}:more\nRUN id -u > /tmp/x; id -g >> /tmp/x'),
]
