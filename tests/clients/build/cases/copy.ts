/** COPY: where things land, what replaces what, whose they are. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Dockerfiles
import type { Case, ContextFile } from '../case'

const TREE: Record<string, ContextFile> = {
  'a.txt': 'a\n',
  'b.txt': 'b\n',
  'c.md': 'c\n',
  'dir/one': '1',
  'dir/two': '2',
  'dir/sub/three': '3',
  'dir/.hidden': 'h',
}
const copy = (name: string, lines: string, more: Partial<Case> = {}): Case => ({
  name,
  dockerfile: `FROM base\n${lines}\n`,
  files: TREE,
  ...more,
})

/** Directories that the destination needs. */
const MADE = (...paths: string[]): Partial<Case> => ({
  differs: { why: 'A newer BuildKit makes them with the mode of --chmod, too.', lines: paths.map((path) => `${path} mode`) },
})

export const COPY: Case[] = [
  copy('a file to a new name', 'COPY a.txt /new.txt'),
  copy('a file over a file of the base', 'COPY a.txt /var/data/file'),
  copy('a file into a directory that is there', 'COPY a.txt /var/data'),
  copy('a file into a directory to be made', 'COPY a.txt /made/here/'),
  copy('a file to a name beneath directories to be made', 'COPY a.txt /made/here/name'),
  copy('a file to /', 'COPY a.txt /'),
  copy('a file to . of a WORKDIR', 'WORKDIR /w/d\nCOPY a.txt .\nCOPY b.txt ./\nCOPY c.md ../up\nCOPY a.txt sub/x'),
  copy('a directory is its contents', 'COPY dir /dest'),
  copy('a directory with a slash', 'COPY dir/ /dest/'),
  copy('a directory into one that is there', 'COPY dir /var/data'),
  copy('a directory twice, the second over the first', 'COPY dir /d\nCOPY dir/sub /d\nCOPY dir /d/sub'),
  copy('everything', 'COPY . .'),
  copy('everything into a WORKDIR', 'WORKDIR /app\nCOPY . .'),
  copy('several files', 'COPY a.txt b.txt /dest/'),
  copy('several files and a directory', 'COPY a.txt dir c.md /dest/'),
  copy('several directories', 'COPY dir dir/sub /dest/'),
  copy('several directories without a slash', 'COPY dir dir/sub /dest', {
    only: { builder: 'theirs', why: 'The reference asks for the slash; without it, several files overwrite each other.' },
  }),
  copy('the JSON form', 'COPY ["a.txt", "b.txt", "/with space/"]'),
  copy('the JSON form with one source', 'COPY [ "a.txt" , "/x y" ]'),
  copy('a star', 'COPY *.txt /dest/'),
  copy('a star that matches one, without a slash', 'COPY c* /dest'),
  copy('a star and directories', 'COPY d* /dest/'),
  copy('a star in the middle', 'COPY d*/one /dest/'),
  copy('a question mark', 'COPY ?.txt /dest/'),
  copy('a class', 'COPY [ab].txt /dest/\nCOPY [a-b].* /range/\nCOPY [^a].txt /not/'),
  copy('a star for hidden files too', 'COPY dir/* /dest/'),
  copy('hidden files by pattern', 'COPY dir/.h* /dest/'),
  copy('an escaped bracket', 'COPY \\[x\\].txt /dest/', { files: { '[x].txt': 'x', 'x.txt': 'no' } }),
  copy('a name with wildcard characters by JSON', 'COPY ["[[]x].txt", "/dest/"]', { files: { '[x].txt': 'x' } }),
  copy('names with spaces and unicode', 'COPY ["a b/ü 漢.txt", "/ö/"]\nCOPY a* /star/', {
    files: { 'a b/ü 漢.txt': 'x', 'a b/Ünïcode': 'y' },
  }),
  copy('a very long path', `COPY deep /dest`, {
    files: { [`deep/${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(200)}`]: 'long' },
  }),
  copy('paths with dots', 'COPY ./dir/../a.txt /x/../y/./z\nCOPY /b.txt /b\nCOPY ../../c.md /c'),
  copy('a symlink source is followed', 'COPY link /dest', { files: { ...TREE, link: { link: 'a.txt' } } }),
  copy('a symlink source keeps its name', 'COPY link /dest/', { files: { ...TREE, link: { link: 'dir/one' } } }),
  copy('a symlink to a directory is followed', 'COPY link /dest', { files: { ...TREE, link: { link: 'dir' } } }),
  copy('an absolute symlink source stays in the context', 'COPY link /dest', { files: { ...TREE, link: { link: '/dir/one' } } }),
  copy('a symlink source that climbs stays in the context', 'COPY link /dest', { files: { ...TREE, link: { link: '../../../a.txt' } } }),
  copy('a path through a symlink', 'COPY link/one /dest/', { files: { ...TREE, link: { link: 'dir' } } }),
  copy('symlinks within a directory stay', 'COPY d /dest', {
    files: {
      'd/file': 'x',
      'd/rel': { link: 'file' },
      'd/abs': { link: '/etc/passwd' },
      'd/out': { link: '../../x' },
      'd/bad': { link: 'nowhere' },
    },
  }),
  copy('symlinks by wildcard', 'COPY l* /dest/', { files: { l1: { link: 'a' }, a: 'a', l2: 'plain' } }),
  copy('into a symlink of the base', 'COPY a.txt /var/link/'),
  copy('through a symlink of the base', 'COPY a.txt /var/link/new/name'),
  copy('through an absolute symlink', 'COPY a.txt /abs/x\nCOPY dir /abs'),
  copy('through a symlink that climbs', 'COPY a.txt /up/x'),
  copy('a file onto a symlink to a file', 'COPY a.txt /etc/alias'),
  copy('a file onto a symlink to a directory', 'COPY a.txt /var/link'),
  copy('a directory onto a symlink to a directory', 'COPY dir /var/link'),
  copy('a directory whose entry is a symlink of the base', 'COPY tree /', {
    files: { 'tree/etc/alias': 'replaces the link', 'tree/new': 'x' },
  }),
  copy('a directory whose entry is a directory link of the base', 'COPY tree /', { files: { 'tree/var/x': 'x', 'tree/home/app/y': 'y' } }),
  copy('a link over a file', 'COPY tree /var/data', { files: { 'tree/file': { link: 'sub/deep' } } }),
  copy('--chown by numbers', 'COPY --chown=12:34 dir /dest'),
  copy('--chown by user', 'COPY --chown=app dir /dest'),
  copy('--chown by user and group', 'COPY --chown=app:more a.txt /made/dir/'),
  copy('--chown by user number alone', 'COPY --chown=77 a.txt /x'),
  copy('--chown of one that is known by number', 'COPY --chown=1000 a.txt /x'),
  copy('--chown group by number', 'COPY --chown=other:5 a.txt /x'),
  copy('--chown onto what is there', 'COPY --chown=app dir /var/data'),
  copy('--chown from a passwd made before', 'RUN echo "late:x:4242:4343::/:/bin/sh" >> /etc/passwd\nCOPY --chown=late a.txt /x'),
  copy('--chown with a variable', 'ARG who=app\nCOPY --chown=$who:${who} a.txt /x'),
  copy('--chown ignores USER', 'USER app\nCOPY a.txt /x\nCOPY dir /d'),
  copy('--chmod', 'COPY --chmod=600 a.txt /x\nCOPY --chmod=0711 dir /d', MADE('/d')),
  copy('--chmod with special bits', 'COPY --chmod=4755 a.txt /x\nCOPY --chmod=1777 dir/sub /d', {
    differs: {
      why: 'This BuildKit drops setuid and sticky; a newer one keeps them.',
      lines: ['/d mode: 777 ≠ 755', '/d/three mode: 1777 ≠ 777', '/x mode: 4755 ≠ 755'],
    },
  }),
  copy('--chmod and --chown', 'COPY --chmod=640 --chown=app:more a.txt /made/x', MADE('/made')),
  copy('modes of the context', 'COPY m /m', {
    files: {
      'm/exec': { text: 'x', mode: 0o755 },
      'm/setuid': { text: 'x', mode: 0o4755 },
      'm/setgid': { text: 'x', mode: 0o2750 },
      'm/none': { text: 'x', mode: 0o000 },
      'm/all': { text: 'x', mode: 0o777 },
      'm/sticky': { dir: true, mode: 0o1777 },
      'm/private': { dir: true, mode: 0o700 },
    },
  }),
  copy('the mode of the copied directory itself', 'COPY m /m\nCOPY m /opt/sticky\nCOPY m /made/m/', {
    files: { m: { dir: true, mode: 0o1750 }, 'm/x': 'x' },
  }),
  copy('an empty directory', 'COPY d /d\nCOPY d/empty /e', {
    files: { 'd/empty': { dir: true }, 'd/full/empty': { dir: true, mode: 0o711 } },
  }),
  copy('an empty file', 'COPY e /e', { files: { e: '' } }),
  copy('dotfiles only', 'COPY d /d', { files: { 'd/.a': 'a', 'd/.b/.c': 'c' } }),
  copy('hard links in the context', 'COPY d /d', {
    setup: 'mkdir d; echo x > d/a; ln d/a d/b',
    differs: { why: 'A checkout has none: each name is sent as a file of its own.', lines: ['/d/a inode', '/d/b inode'] },
  }),
  copy('a sparse file', 'COPY s /s', { setup: 'truncate -s 300000 s; printf end >> s' }),
  copy('binary content', 'COPY bin /bin.dat', { files: { bin: { text: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) } } }),
  copy('the same file to many places', 'COPY a.txt /1\nCOPY a.txt /2/\nCOPY a.txt /var/data/sub/3'),
  copy('with variables', 'ENV D=/dest N=a\nCOPY ${N}.txt $D/\nCOPY b.txt $D/q'),
  copy('a trailing /. of the source', 'COPY dir/. /dest'),
  copy('a destination that ends in /.', 'COPY a.txt /dest/.', {
    differs: {
      why: 'This BuildKit takes it for the name of a file; a newer one for a directory.',
      lines: ['/dest type', '/dest mode', '/dest size', '/dest content', '/dest/a.txt is only in ours'],
    },
  }),
  copy('onto a volume', 'VOLUME /var/data\nCOPY a.txt /var/data/x'),
  copy('a wildcard that matches nothing', 'COPY no*thing /x'),
  copy('a wildcard that matches nothing beside one that does', 'COPY a.txt nothing* /dest/'),
  copy('a pattern over two levels', 'COPY */*/three /dest/'),
  copy('file beneath files kept', 'COPY dir/one /var/data/sub/\nCOPY dir /opt/sticky/'),
]
