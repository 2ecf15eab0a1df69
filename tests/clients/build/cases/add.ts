/** ADD: as COPY, and archives. */
import type { Case } from '../case'

const add = (name: string, lines: string, setup: string, more: Partial<Case> = {}): Case => ({
  name,
  dockerfile: `FROM base\n${lines}\n`,
  setup,
  ...more,
})
/** Files with owners, modes and times of their own, beneath t. */
const TREE = `mkdir -p t/sub t/etc; echo a > t/a; echo b > t/sub/b; ln -s a t/link; ln t/a t/hard; chmod 4750 t/sub/b; chmod 1777 t/sub
  echo new > t/etc/alias; touch -d 2010-05-06T07:08:09Z t/a t/sub/b t/sub t/etc t/etc/alias; touch -h -d 2011-01-01T00:00:00Z t/link`
const TAR = 'tar --owner=1234 --group=4321 --sort=name -C t'

export const ADD: Case[] = [
  add('a file', 'ADD a /x\nADD a /dir/', 'echo a > a'),
  add('a directory', 'ADD d /d', 'mkdir -p d/s; echo 1 > d/s/f'),
  add('a tar', 'ADD x.tar /dest', `${TREE}; ${TAR} -cf x.tar .; rm -r t`),
  add('a tar with a slash', 'ADD x.tar /made/dest/', `${TREE}; ${TAR} -cf x.tar .; rm -r t`),
  add('a tar to /', 'ADD x.tar /', `${TREE}; ${TAR} -cf x.tar .; rm -r t`),
  add('a gzip', 'ADD x.tar.gz /dest/', `${TREE}; ${TAR} -czf x.tar.gz .; rm -r t`),
  add('a bzip2', 'ADD x.tar.bz2 /dest/', `${TREE}; ${TAR} -cjf x.tar.bz2 .; rm -r t`),
  add('an xz', 'ADD x.tar.xz /dest/', `${TREE}; ${TAR} -cJf x.tar.xz .; rm -r t`),
  add('a tar told by content, not by name', 'ADD plain /dest/', `${TREE}; ${TAR} -czf plain .; rm -r t`),
  add('a gzip that holds no tar', 'ADD x.gz /dest/', 'echo just text | gzip -n > x.gz'),
  add('a text named tar', 'ADD x.tar /dest/', 'echo no archive > x.tar'),
  add('a tar by COPY stays', 'COPY x.tar /dest/', `${TREE}; ${TAR} --mtime=@1300000000 -cf x.tar .; rm -r t`),
  add(
    'a tar over files of the base',
    'ADD x.tar /var',
    'mkdir -p t/data/sub; echo n > t/data/file; echo d > t/data/sub/deep; chmod 700 t/data; tar --owner=5 --group=6 -C t -cf x.tar .',
    {
      differs: { why: 'A directory that was there keeps its time, as with COPY.', lines: ['/var time: 2001'] },
    },
  ),
  add(
    'a tar with a directory where the base has a link',
    'ADD x.tar /var',
    'mkdir -p t/link; echo n > t/link/new; tar --owner=5 --group=6 -C t -cf x.tar .',
  ),
  add(
    'a tar with a file where the base has a directory',
    'ADD x.tar /var',
    'mkdir t; echo n > t/data; tar --owner=5 --group=6 -C t -cf x.tar data',
  ),
  add(
    'a tar without entries for its directories',
    'ADD x.tar /dest',
    'mkdir -p t/a/b; echo n > t/a/b/c; tar --owner=5 --group=6 -C t -cf x.tar a/b/c',
  ),
  add(
    'a tar with a pipe',
    'ADD x.tar /dest',
    'mkdir t; mkfifo -m 640 t/pipe; touch -d 2010-01-01 t/pipe; tar --owner=5 --group=6 -C t -cf x.tar .',
  ),
  add(
    'a tar with long names',
    'ADD x.tar /dest',
    `mkdir t; echo 1 > t/${'n'.repeat(180)}; mkdir -p t/${'d'.repeat(130)}/${'e'.repeat(100)}; echo 2 > t/${'d'.repeat(130)}/${'e'.repeat(100)}/f; tar --owner=5 --group=6 -C t -cf x.tar .`,
  ),
  add(
    'a pax tar with unicode and fractions of seconds',
    'ADD x.tar /dest',
    'mkdir t; echo 1 > "t/ü 漢"; touch -d 2010-01-01T00:00:00.123456789Z "t/ü 漢"; tar --format=pax --owner=5 --group=6 -C t -cf x.tar .',
  ),
  add(
    'a tar with absolute names',
    'ADD x.tar /dest',
    'mkdir t; echo 1 > t/f; tar --owner=5 --group=6 -P --transform "s,^t,/abs," -cf x.tar t/f',
  ),
  add(
    'two tars into one',
    'ADD x.tar y.tar /dest/',
    'mkdir -p t/d u/d; echo 1 > t/d/a; echo 2 > u/d/a; echo 3 > u/d/b; tar --owner=5 --group=6 -C t -cf x.tar .; tar --owner=5 --group=6 -C u -cf y.tar .',
  ),
  add('a tar and a file', 'ADD x.tar f /dest/', `${TREE}; ${TAR} -cf x.tar .; echo f > f; rm -r t`),
  add('a tar by wildcard', 'ADD *.tar /dest/', `${TREE}; ${TAR} -cf x.tar .; rm -r t`),
  add('a tar through a link', 'ADD link /dest/', `${TREE}; ${TAR} -cf x.tar .; rm -r t; ln -s x.tar link`),
  add('a tar in a directory stays', 'ADD d /dest/', `mkdir d; ${TREE}; ${TAR} --mtime=@1300000000 -cf d/x.tar .; rm -r t`),
  add('a tar onto a link of the base', 'ADD x.tar /var/link', `${TREE}; ${TAR} -cf x.tar .; rm -r t`),
  add('--chown with a directory', 'ADD --chown=app:more d /d', 'mkdir -p d/s; echo 1 > d/s/f'),
  add('an empty tar', 'ADD x.tar /dest/', 'tar -cf x.tar -T /dev/null'),
]
