/** RUN: forms, users, and what a layer holds afterwards. */
import type { Case } from '../case'

const run = (name: string, lines: string, more: Partial<Case> = {}): Case => ({ name, dockerfile: `FROM base\n${lines}\n`, ...more })
/** Times of what `touch -d` made, so that they are compared. */
const OLD = '"2005-01-02 03:04:05"'

const GROUPS: Partial<Case> = {
  differs: {
    why: 'The own group counts as a supplementary one, too: the fix of CVE-2022-36109, which this BuildKit lacks.',
    lines: ['/tmp/id size', '/tmp/id content'],
  },
}
/** Directories made for mounts. */
const stubs = (...paths: string[]): Partial<Case> => ({
  differs: {
    why: 'This BuildKit leaves the empty directories of mounts behind; a newer one does not.',
    lines: paths.map((path) => `${path} is only in theirs`),
  },
})

export const RUN: Case[] = [
  run('shell and exec form', 'RUN echo "a  b" > /a\nRUN ["sh", "-c", "echo c > /c"]\nRUN   echo   spaces    > /d'),
  run('over lines', 'RUN echo a > /a && \\\n    echo b > /b \\\n    && echo "c \\\n d" > /c'),
  run('removes files', 'RUN rm /etc/group /var/data/file\nRUN rm -r /var/data/sub'),
  run('removes and makes again', 'RUN rm -r /var/data && mkdir /var/data && echo new > /var/data/new'),
  run('removes in one step, makes in the next', 'RUN rm -r /var/data\nRUN mkdir /var/data && echo new > /var/data/file'),
  run('a file for a directory', 'RUN rm -r /var/data && echo now a file > /var/data'),
  run('a directory for a file', 'RUN rm /etc/group && mkdir -p /etc/group/d'),
  run('a link for a directory', 'RUN rm -r /var/data && ln -s /opt /var/data'),
  run('a directory for a link', 'RUN rm /var/link && mkdir /var/link && echo x > /var/link/x'),
  run('renames', 'RUN mv /var/data/file /var/data/renamed && mv /opt/owned /opt/moved\nRUN mkdir /n && echo 1 > /n/1\nRUN mv /n /m'),
  run('renames a directory of the base', 'RUN cp -a /var/data /var/moved && rm -r /var/data'),
  run('reserves a file', 'RUN busybox fallocate -l 300000 /reserved && busybox fallocate -o 100000 -l 500000 /reserved'),
  run('a name of its own for the machine', 'RUN hostname > /name; echo "$HOSTNAME" >> /name', {
    buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'box' },
    differs: { why: 'This BuildKit does not know the argument; a newer one does.', lines: ['/name size', '/name content'] },
  }),
  run('only metadata', 'RUN chmod 700 /var/data\nRUN chown app:more /opt/setuid\nRUN touch -d "2005-01-02 00:00:00" /etc/passwd'),
  run('changes nothing', 'RUN true\nRUN ls / > /dev/null'),
  run('makes and removes within a step', 'RUN echo x > /gone && rm /gone'),
  run(
    'times and modes',
    `RUN echo x > /x && chmod 4711 /x && chown 5:6 /x && touch -d ${OLD} /x\nRUN mkdir -m 1770 /d && touch -d ${OLD} /d`,
  ),
  run('special files', `RUN mkfifo -m 600 /pipe && mknod /null c 1 3 && mknod /blk b 7 0 && touch -d ${OLD} /pipe /null /blk`),
  run('links', 'RUN ln -s /etc/passwd /l && echo x > /h1 && ln /h1 /h2 && ln /opt/owned /opt/third', {
    newer: { why: 'A newer BuildKit writes a second file where a name is added to one of the base.', lines: ['/opt/third inode'] },
  }),
  run('one of hard links of the base is changed', 'RUN echo more >> /opt/owned'),
  run('hidden whiteout names', 'RUN mkdir /w && echo 1 > "/w/.wh" && echo 2 > "/w/a.wh.b"'),
  run('odd names', 'RUN mkdir "/a b" && echo 1 > "/a b/ü\'" && echo 2 > "/a b/-rf" && echo 3 > "/a b/$(printf \'new\\nline\')"'),
  run('USER', 'USER app\nRUN id > /tmp/id && echo x > /tmp/of-app', GROUPS),
  run('USER by number', 'USER 1234:777\nRUN id > /tmp/id', GROUPS),
  run('USER with a group', 'USER app:more\nRUN id -u > /tmp/id; id -g >> /tmp/id; id -G >> /tmp/id'),
  run(
    'mount targets leave nothing',
    'RUN --mount=type=cache,target=/cache/deep echo x > /cache/deep/x\nRUN --mount=type=tmpfs,target=/t echo 1 > /t/1',
    stubs('/cache', '/cache/deep', '/t'),
  ),
  run('a bind mount of the context', 'RUN --mount=type=bind,target=/src cp /src/f /copied && ls -A /src > /list', {
    files: { f: 'x' },
    ...stubs('/src'),
  }),
  run('a bind mount of a stage', '', {
    dockerfile: 'FROM base AS a\nRUN mkdir /o && echo a > /o/a\nFROM base\nRUN --mount=from=a,source=/o,target=/mnt/o cp /mnt/o/a /a\n',
    ...stubs('/mnt', '/mnt/o'),
  }),
  run('a bind mount that is written to', 'RUN --mount=type=bind,target=/src,rw echo changed > /src/f && cat /src/f > /out', {
    files: { f: 'x' },
    ...stubs('/src'),
  }),
  run(
    'a cache mount is shared by steps',
    'RUN --mount=type=cache,target=/c,id=diff-shared echo once > /c/f\nRUN --mount=type=cache,target=/c,id=diff-shared cat /c/f > /got',
    stubs('/c'),
  ),
  run('a volume is written to', 'RUN mkdir -m 711 /vol && echo before > /vol/b\nVOLUME /vol\nRUN echo after > /vol/a'),
  run('/etc/hosts and /etc/resolv.conf leave nothing', 'RUN cat /etc/hosts > /dev/null; cat /etc/resolv.conf > /dev/null; echo x > /x'),
  run('/tmp, /dev, /proc, /sys as they were', 'RUN echo x > /tmp/x; echo y > /dev/shm/y; true'),
  run('an empty directory of the base is filled', 'RUN echo x > /home/f; echo y > /usr/bin/y'),
  run('many files', 'RUN mkdir /many; i=0; while [ $i -lt 300 ]; do echo $i > /many/$i; i=$((i+1)); done'),
  run('a large file', 'RUN seq 1 200000 > /large'),
  run('umask', 'RUN umask > /u; umask 077; echo x > /x; mkdir /d'),
  run('a shell of one’s own', 'SHELL ["/bin/sh", "-xc"]\nRUN echo "$0" > /x'),
  run('exit status of a pipe', 'RUN false | true; echo $? > /x'),
]
