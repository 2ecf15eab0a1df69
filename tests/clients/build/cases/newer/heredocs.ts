/** Heredocs, which Debian's BuildKit knows only behind a `syntax` line that it would have to fetch. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import type { Case } from '../../case'

const doc = (name: string, lines: string, more: Partial<Case> = {}): Case => ({ name, dockerfile: `FROM base\n${lines}\n`, ...more })

export const HEREDOCS: Case[] = [
  doc('RUN', 'RUN <<EOF\necho one > /x\necho two >> /x\nEOF'),
  doc('RUN in quotes', 'ARG V=1\nRUN <<"EOF"\necho "$V \\$V" > /x\nEOF'),
  doc('RUN with a variable of the shell', 'ARG V=1\nRUN <<EOF\nW=$V\necho "$V ${W} \\$V" > /x\nEOF'),
  doc('RUN with tabs taken off', 'RUN <<-EOF\n\techo one > /x\n\t\techo two >> /x\n\tEOF'),
  doc('RUN for another program', 'RUN cat <<EOF > /x\nline\n  indented\nEOF'),
  doc('RUN with two', 'RUN cat <<one > /1 && cat <<two > /2\nfirst\none\nsecond\ntwo'),
  doc('RUN with a shebang', 'RUN <<EOF\n#!/bin/sh -e\necho "$0" | grep -c . > /x\nEOF'),
  doc('RUN that fails in the middle goes on as the shell does', 'RUN <<EOF\nfalse\necho on > /x\nEOF'),
  doc('RUN as a user', 'USER app\nRUN <<EOF\nid -u > /tmp/x\nEOF'),
  doc('RUN with a descriptor', 'RUN cat 3<<EOF <&3 > /x\nfd\nEOF'),
  doc('RUN with a mount', 'RUN --mount=type=tmpfs,target=/t <<EOF\necho 1 > /t/1\nls /t > /x\nEOF'),
  doc('RUN with another shell', 'SHELL ["/bin/sh", "-xc"]\nRUN <<EOF\necho a > /x\nEOF'),
  doc('an empty RUN', 'RUN <<EOF\nEOF'),
  doc('COPY', 'COPY <<EOF /x\nline 1\n  line 2\nEOF'),
  doc('COPY with variables', 'ENV V=val\nARG A=arg\nCOPY <<EOF /x\n$V ${A} ${N:-none} \\$V "q" \'s $V\'\nEOF'),
  doc('COPY in quotes', 'ENV V=val\nCOPY <<"EOF" /x\n$V ${A} \\$V "q"\nEOF'),
  doc('COPY in single quotes', "ENV V=val\nCOPY <<'EOF' /x\n$V \\n\nEOF"),
  doc('COPY with tabs taken off', 'COPY <<-EOF /x\n\tone\n\t\ttwo\n\tEOF'),
  doc('COPY into a directory', 'COPY <<one.txt <<two.txt /dest/\nfirst\none.txt\nsecond\ntwo.txt'),
  doc('COPY of an empty one', 'COPY <<EOF /x\nEOF'),
  doc('COPY with --chmod and --chown', 'COPY --chmod=755 --chown=app <<EOF /bin/hi\n#!/bin/sh\necho hi\nEOF\nRUN hi > /x'),
  doc('COPY with --link', 'COPY --link <<EOF /made/x\n1\nEOF'),
  doc('COPY with blank lines and comments', 'COPY <<EOF /x\n\n# no comment\n\n  \nlast\n\nEOF'),
  doc('COPY with instructions in it', 'COPY <<EOF /x\nFROM scratch\nRUN false\nEOF\nRUN true > /y'),
  doc('COPY with continuation in it', 'COPY <<EOF /x\na \\\nb\nEOF'),
  doc('COPY with backslashes', 'COPY <<EOF /x\na\\\\b \\n \\t \\" \\\\$HOME\nEOF'),
  doc('COPY with Windows line ends', 'COPY <<EOF /x\r\nline\r\nEOF'),
  doc('ADD', 'ADD <<EOF /x\nadded\nEOF'),
  doc('ADD of one that is a tar by name only', 'ADD <<x.tar /dest/\nno archive\nx.tar'),
  doc('behind ONBUILD', 'ONBUILD COPY f /x', { files: { f: '1' } }),
  doc('one that is not closed', 'COPY <<EOF /x\nline', { refused: true }),
  doc('none in other instructions', 'ENV A=<<EOF\nLABEL b=<<X\nCMD echo <<EOF'),
]
