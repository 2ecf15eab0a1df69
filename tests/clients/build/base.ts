/**
 * The images that the cases start from, as one archive for `docker load`: the same bytes, so the same ids, on both sides.
 * `base` is a root file system of busybox with users, links, modes and a capability; `configured` is the same with every
 * field of its config set.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import tar from 'tar-stream'

const NAMES = `sh true false sleep echo cat ls id env head tail wc grep touch mkdir rm rmdir mv cp stat chmod chown ln readlink sort
  find seq dd tr pwd printf test mkfifo mknod tar sed xargs sync date md5sum dirname basename umask`.split(/\s+/)
const MTIME = new Date('2001-02-03T04:05:06Z')
/** cap_net_raw=ep, as the kernel keeps it. */
const NET_RAW = '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0'

export async function baseArchive(folder: string): Promise<string> {
  const layer = await rootFileSystem()
  const diffId = createHash('sha256').update(layer).digest('hex')
  const image = (config: object) =>
    Buffer.from(
      JSON.stringify({
        architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
        os: 'linux',
        created: MTIME.toISOString(),
        config,
        history: [{ created: MTIME.toISOString(), created_by: 'import' }],
        rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
      }),
    )
  const plain = image({ Env: ['PATH=/bin:/usr/bin'], Cmd: ['sh'] })
  const configured = image({
    Env: ['PATH=/bin:/usr/bin', 'FROM_BASE=1', 'SPACED=a b'],
    Cmd: ['base', 'cmd'],
    Entrypoint: ['/bin/echo'],
    WorkingDir: '/var/data',
    User: 'app:more',
    Labels: { 'base.label': 'yes', kept: 'base' },
    Volumes: { '/vol': {} },
    ExposedPorts: { '80/tcp': {} },
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD', 'true'], Interval: 5_000_000_000 },
  })
  const pack = tar.pack()
  const manifest = [
    { Config: 'plain.json', RepoTags: ['base:latest'], Layers: ['layer.tar'] },
    { Config: 'configured.json', RepoTags: ['configured:latest'], Layers: ['layer.tar'] },
  ]
  pack.entry({ name: 'layer.tar' }, layer)
  pack.entry({ name: 'plain.json' }, plain)
  pack.entry({ name: 'configured.json' }, configured)
  pack.entry({ name: 'manifest.json' }, JSON.stringify(manifest))
  pack.finalize()
  const path = join(folder, 'bases.tar')
  writeFileSync(path, await buffer(pack))
  return path
}

function rootFileSystem(): Promise<Buffer> {
  const pack = tar.pack()
  const dir = (name: string, mode = 0o755, uid = 0, gid = 0) =>
    pack.entry({ name: `${name}/`, type: 'directory', mode, uid, gid, mtime: MTIME })
  const link = (name: string, linkname: string) => pack.entry({ name, type: 'symlink', linkname, mode: 0o777, mtime: MTIME })
  const file = (name: string, data: string | Buffer, mode = 0o644, uid = 0, gid = 0, pax?: Record<string, string>) =>
    pack.entry({ name, mode, uid, gid, mtime: MTIME, ...(pax && { pax }) }, data)
  for (const name of ['bin', 'dev', 'etc', 'home', 'opt', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var', 'var/data', 'var/data/sub'])
    dir(name)
  dir('tmp', 0o1777)
  dir('home/app', 0o750, 1000, 1001)
  file('bin/busybox', readFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim()), 0o755)
  for (const name of NAMES) link(`bin/${name}`, 'busybox')
  file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/home/app:/bin/sh\nother:x:2000:2000::/home/other:/bin/sh\n')
  file('etc/group', 'root:x:0:\napp:x:1001:\nmore:x:3000:app\nother:x:2000:\n')
  file('var/data/file', 'of the base\n')
  file('var/data/sub/deep', 'deep\n', 0o600, 2000, 2000)
  file('opt/setuid', 'x', 0o4755)
  file('opt/capped', 'x', 0o755, 0, 0, { 'SCHILY.xattr.security.capability': NET_RAW })
  file('opt/owned', 'x', 0o640, 1000, 1001)
  pack.entry({ name: 'opt/hard', type: 'link', linkname: 'opt/owned', mode: 0o640, uid: 1000, gid: 1001, mtime: MTIME })
  dir('opt/sticky', 0o1770, 1000, 3000)
  link('var/link', 'data')
  link('abs', '/var/data')
  link('up', '../../../../var/data')
  link('dangling', '/nowhere/at/all')
  link('etc/alias', 'passwd')
  link('loop', 'loop')
  pack.finalize()
  return buffer(pack)
}
