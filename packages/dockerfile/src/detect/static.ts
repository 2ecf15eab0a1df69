import { header, IGNORE, type Tree, type Verdict } from './parts'

/** The first process of a container gets no default action for signals: the trap makes it stop at once. */
export const SERVE_COMMAND = [
  '# The first process gets no default action for signals: the trap makes it stop at once when it is told to.',
  `CMD ["sh", "-c", "trap 'exit 0' TERM INT; httpd -f -p \\"$PORT\\" -h /srv & wait"]`,
]

export function staticSite({ names }: Tree): Verdict {
  if (!names.has('index.html')) return null
  const framework = 'static files'
  return {
    framework,
    reasons: ['found index.html'],
    port: 3000,
    ignore: `${IGNORE}\n`,
    warnings: [],
    dockerfile: [
      header(framework),
      'FROM slipway.local/base/busybox',
      'ENV PORT=3000',
      'COPY . /srv',
      'USER 1000',
      'EXPOSE 3000',
      ...SERVE_COMMAND,
      '',
    ].join('\n'),
  }
}
