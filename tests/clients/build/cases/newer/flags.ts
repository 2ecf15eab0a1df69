/** Flags of COPY, ADD and RUN that Debian's BuildKit does not know. */
import type { Case, ContextFile } from '../../case'

const TREE: Record<string, ContextFile> = {
  'a.txt': 'a\n',
  'b.txt': 'b\n',
  'c.md': 'c\n',
  'dir/one': '1',
  'dir/two.md': '2',
  'dir/sub/three': '3',
  'dir/sub/deep/four.md': '4',
  'dir/.hidden': 'h',
  'pkg/x/package.json': '{}',
  'pkg/x/src/i.js': 'x',
  'pkg/y/package.json': '{"y":1}',
  'pkg/y/z/package.json': '{"z":1}',
  'empty/d': { dir: true, mode: 0o711 },
  link: { link: 'dir' },
  'dir/ln': { link: 'one' },
}
const flag = (name: string, lines: string, more: Partial<Case> = {}): Case => ({
  name,
  dockerfile: `FROM base\n${lines}\n`,
  files: TREE,
  ...more,
})
const refused = (name: string, lines: string): Case => flag(name, lines, { refused: true })

/** `--exclude` is for what a source names, too, as the reference says; BuildKit looks only beneath directories (its issue 5489). */
const NAMED = (...paths: string[]): Partial<Case> => ({
  newer: { why: 'The reference’s own example; an open defect of BuildKit.', lines: paths.map((path) => `${path} is only in theirs`) },
})

const NOTHING: Partial<Case> = { newer: { why: 'BuildKit copies nothing, without a word.', only: 'theirs' } }

const LINK: Case[] = [
  flag('--link of a file', 'COPY --link a.txt /new'),
  flag('--link of a file over one of the base', 'COPY --link a.txt /var/data/file'),
  flag('--link of a directory', 'COPY --link dir /dest'),
  flag('--link into a directory to be made', 'COPY --link a.txt b.txt /made/here/'),
  flag('--link into a directory of the base', 'COPY --link a.txt /var/data/'),
  flag('--link of a directory into one of the base', 'COPY --link dir /var/data'),
  flag('--link where the base has a link', 'COPY --link a.txt /var/link/x'),
  flag('--link onto a link of the base', 'COPY --link a.txt /etc/alias'),
  flag('--link with --chown by numbers', 'COPY --link --chown=12:34 dir /dest'),
  refused('--link with --chown by name', 'COPY --link --chown=app a.txt /dest'),
  flag('--link with --chmod', 'COPY --link --chmod=640 dir /dest/'),
  flag('--link from a stage', '', {
    dockerfile:
      'FROM base AS b\nRUN mkdir /o && echo 1 > /o/f && touch -d "2005-01-02 03:04:05" /o/f\nFROM base\nCOPY --link --from=b /o /p\n',
  }),
  flag('--link with a WORKDIR', 'WORKDIR /w\nCOPY --link a.txt .\nCOPY --link dir sub'),
  flag('--link on scratch', '', { dockerfile: 'FROM scratch\nCOPY --link a.txt /a\nCOPY --link dir /d/\n' }),
  flag('--link twice over the same', 'COPY --link dir /d\nCOPY --link a.txt /d/one\nRUN cat /d/one > /got'),
  flag('--link=false', 'COPY --link=false dir /dest'),
  flag('ADD --link of a tar', 'ADD --link x.tar /dest/', {
    setup: 'mkdir t; echo 1 > t/f; touch -d 2010-05-06T07:08:09Z t/f t; tar --owner=5 --group=6 -C t -cf x.tar .; rm -r t',
  }),
  flag('ADD --link of a file', 'ADD --link a.txt /dest/'),
]

const PARENTS: Case[] = [
  flag('--parents of a file', 'COPY --parents dir/sub/three /dest/'),
  flag('--parents of several', 'COPY --parents a.txt dir/one pkg/x/src/i.js /dest/'),
  flag('--parents of a directory', 'COPY --parents dir/sub /dest/'),
  flag('--parents with a star', 'COPY --parents pkg/*/package.json /dest/'),
  flag('--parents with two stars', 'COPY --parents pkg/**/package.json /dest/'),
  flag('--parents with two stars at the beginning', 'COPY --parents **/*.md /dest/'),
  flag('--parents with a pivot', 'COPY --parents pkg/./x/package.json /dest/'),
  flag('--parents with a pivot and a star', 'COPY --parents pkg/./*/package.json /dest/'),
  flag('--parents with a pivot at the beginning', 'COPY --parents ./dir/one /dest/'),
  flag('--parents of everything', 'COPY --parents . /dest/', {
    newer: { why: 'BuildKit copies nothing, without a word.', lines: ['/dest/'] },
  }),
  flag('--parents to a WORKDIR', 'WORKDIR /w\nCOPY --parents dir/sub/deep ./'),
  flag('--parents without a slash at the end', 'COPY --parents dir/one /dest'),
  flag('--parents into what is there', 'COPY --parents dir/one /var/data/'),
  flag('--parents with --chown and --chmod', 'COPY --parents --chown=7:8 --chmod=750 dir/sub/three /dest/'),
  flag('--parents keeps the modes of directories', 'COPY --parents p/q/f /dest/', {
    files: { p: { dir: true, mode: 0o700 }, 'p/q': { dir: true, mode: 0o711 }, 'p/q/f': { text: 'x', mode: 0o600 } },
  }),
  flag('--parents from a stage', '', {
    dockerfile:
      'FROM base AS b\nRUN mkdir -p -m 750 /o/p && chown 9:9 /o/p && echo 1 > /o/p/f && touch -d "2005-01-02 03:04:05" /o/p/f /o/p /o\nFROM base\nCOPY --parents --from=b /o/p/f /dest/\n',
  }),
  flag('--parents of a directory of a stage', '', {
    dockerfile:
      'FROM base AS b\nRUN mkdir -p -m 750 /o/p/q && echo 1 > /o/p/q/f && touch -d "2005-01-02 03:04:05" /o/p/q/f /o/p/q /o/p /o\nFROM base\nCOPY --parents --from=b /o/p /dest/\n',
  }),
  flag('a directory of a stage onto one that is there', '', {
    dockerfile:
      'FROM base AS b\nRUN mkdir -m 700 /o && echo 1 > /o/f && touch -d "2005-01-02 03:04:05" /o/f /o\nFROM base\nCOPY --from=b /o /var/data\nCOPY --from=b /o /new/dir/\n',
  }),
  flag('--parents from a stage with a pivot', '', {
    dockerfile: 'FROM base AS b\nRUN mkdir -p /o/p/q && echo 1 > /o/p/q/f\nFROM base\nCOPY --parents --from=b /o/./p/*/f /dest/\n',
  }),
  flag('--parents with --link', 'COPY --parents --link dir/sub/three pkg/*/package.json /dest/'),
  flag('--parents of an empty directory', 'COPY --parents empty/d /dest/'),
  flag('--parents of a link within', 'COPY --parents dir/ln /dest/'),
  flag('--parents through a link', 'COPY --parents link/one /dest/', NOTHING),
  flag('--parents that match nothing', 'COPY --parents no*/thing /dest/'),
  flag('--parents with a question mark and a class', 'COPY --parents pkg/?/package.json pkg/[x]/src /dest/'),
  flag('--parents of what is not there', 'COPY --parents dir/nope /dest/', NOTHING),
  refused('ADD --parents', 'ADD --parents dir/one /dest/'),
]

const EXCLUDE: Case[] = [
  flag('--exclude by suffix', 'COPY --exclude=*.md . /dest/'),
  flag('--exclude at any depth', 'COPY --exclude=**/*.md . /dest/'),
  flag('--exclude a directory', 'COPY --exclude=dir . /dest/'),
  flag('--exclude within a directory', 'COPY --exclude=sub dir /dest/'),
  flag('--exclude a path within a directory', 'COPY --exclude=sub/deep dir /dest/'),
  flag('--exclude several', 'COPY --exclude=*.md --exclude=*.txt --exclude=pkg . /dest/'),
  flag('--exclude all but', 'COPY --exclude=** --exclude=!a.txt . /dest/'),
  flag('--exclude but one within', 'COPY --exclude=sub --exclude=!sub/three dir /dest/'),
  flag('--exclude with a wildcard source', 'COPY --exclude=b.* *.txt /dest/', NAMED('/dest/b.txt')),
  flag('--exclude of all that is named', 'COPY --exclude=*.txt a.txt b.txt /dest/', NAMED('/dest/a.txt', '/dest/b.txt')),
  flag('--exclude hidden files', 'COPY --exclude=.* dir /dest/'),
  flag('--exclude leaves empty directories', 'COPY --exclude=**/package.json pkg /dest/'),
  flag('--exclude with a question mark', 'COPY --exclude=?.txt . /dest/'),
  flag('--exclude what is not there', 'COPY --exclude=nope dir /dest/'),
  flag('--exclude with a slash before', 'COPY --exclude=/sub dir /dest/', {
    newer: { why: 'The slash is the beginning of what is copied; there, it matches nothing.', lines: ['/dest/sub'] },
  }),
  flag('--exclude with a slash behind', 'COPY --exclude=sub/ dir /dest/'),
  flag('--exclude with a variable', 'ENV E=*.md\nCOPY --exclude=$E . /dest/', {
    newer: { why: 'BuildKit takes it as it stands, and so leaves nothing out.', lines: ['/dest/c.md'] },
  }),
  flag('--exclude with --parents', 'COPY --parents --exclude=**/z pkg /dest/'),
  flag('--exclude with --parents and a pattern', 'COPY --parents --exclude=pkg/y/** pkg/**/package.json /dest/'),
  flag('--exclude with --parents and a pivot', 'COPY --parents --exclude=**/two.md dir/./**/*.md /dest/'),
  flag('--exclude with --link', 'COPY --link --exclude=sub dir /dest/'),
  flag('--exclude from a stage', '', {
    dockerfile:
      'FROM base AS b\nRUN mkdir -p /o/k && echo 1 > /o/k/f && echo 2 > /o/x.md && touch -d "2005-01-02 03:04:05" /o/k /o/k/f /o/x.md\nFROM base\nCOPY --from=b --exclude=*.md /o /dest/\n',
  }),
  flag('ADD --exclude', 'ADD --exclude=*.md dir /dest/'),
]

const TAR = 'mkdir t; echo 1 > t/f; touch -d 2010-05-06T07:08:09Z t/f t; tar --owner=5 --group=6 -C t -cf x.tar .; gzip -nk x.tar; rm -r t'
const OTHER: Case[] = [
  flag('ADD --chmod', 'ADD --chmod=600 a.txt /x\nADD --chmod=711 dir /d'),
  flag('ADD --chmod and --chown', 'ADD --chmod=640 --chown=app:more a.txt /made/x'),
  flag('ADD --chown of a tar', 'ADD --chown=7:8 x.tar /dest/', { setup: TAR }),
  flag('ADD --chmod of a tar', 'ADD --chmod=700 x.tar /dest/', { setup: TAR }),
  flag('ADD --unpack=false', 'ADD --unpack=false x.tar.gz /dest/', { setup: TAR }),
  flag('ADD --unpack=true', 'ADD --unpack=true x.tar.gz /dest/', { setup: TAR }),
  flag('--chmod in letters', 'COPY --chmod=u=rw,g=r,o= a.txt /x\nCOPY --chmod=a+x dir /d\nCOPY --chmod=go-rwx,u+X dir /e'),
  flag('--chmod in letters, with directories', 'COPY --chmod=u=rwX,go=rX dir /d\nCOPY --chmod=+t dir/sub /s\nCOPY --chmod=g+s dir/sub /g'),
  flag('--chmod by a variable', 'ARG M=600\nCOPY --chmod=$M a.txt /x'),
  flag('--chmod of directories to be made', 'COPY --chmod=700 a.txt /made/here/x'),
  flag('RUN --mount with a uid and a mode', 'RUN --mount=type=cache,target=/c,uid=7,gid=8,mode=0750 stat -c "%u %g %a" /c > /got'),
  flag(
    'RUN --mount=type=tmpfs with a size',
    'RUN --mount=type=tmpfs,target=/t,size=1048576 df -k /t | tail -n 1 | tr -s " " | cut -d " " -f 2 > /got',
    {
      setup: 'true',
    },
  ),
  flag('RUN --mount from a stage, written to', '', {
    dockerfile:
      'FROM base AS b\nRUN echo 1 > /f\nFROM base\nRUN --mount=from=b,target=/m,rw echo 2 > /m/f\nRUN --mount=from=b,target=/m cat /m/f > /got\n',
  }),
  flag('RUN --network=none', 'RUN --network=none ls /sys/class/net > /got'),
  flag('a named stage as the source of ADD', '', { dockerfile: 'FROM base AS b\nFROM base\nADD --from=b /etc/passwd /x\n', refused: true }),
  flag('COPY of a heredoc and a file', 'COPY <<one a.txt /dest/\nfirst\none'),
]

export const FLAGS: Case[] = [...LINK, ...PARENTS, ...EXCLUDE, ...OTHER]
