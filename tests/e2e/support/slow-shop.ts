import type { TestGitServer } from '@slipway/testing'

/** `npm ci` of a machine without npm: takes a while, uses CPU and memory, writes what a layer is made of. */
const NPM = `#!/bin/sh
echo "added 214 packages"
mkdir -p node_modules
dd if=/dev/urandom of=node_modules/lib.bin bs=1M count=6 2>/dev/null
i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done
sleep 1
`

/** A base image that can be made to move. */
export const BASE = {
  Dockerfile: 'FROM slipway.local/base/busybox\nCOPY --chmod=755 npm /bin/npm\nCOPY release /etc/release\n',
  npm: NPM,
  release: 'one\n',
}

/**
 * Three stages, two of them at the same time, in the order that costs most: the sources before what npm installs. With
 * something for lint on a line of its own.
 */
export const SHOP = {
  Dockerfile: `FROM slipway.local/acme/base:main AS build
WORKDIR /src
COPY . .
RUN npm ci
RUN cat src/*.js > bundle.js

FROM slipway.local/base/busybox AS assets
ARG COLOUR=red
WORKDIR /assets
RUN echo "painting it $COLOUR"; sleep 1; echo "$COLOUR" > colour.css
run date > /assets/date

FROM slipway.local/base/busybox
WORKDIR /www
COPY --from=build /src/bundle.js /src/index.html ./
COPY --from=assets /assets /www/assets
EXPOSE 8080
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
`,
  'index.html': 'shop\n',
  'package.json': '{ "name": "shop" }\n',
  'src/cart.js': 'one\n',
  'src/old.js': 'gone soon\n',
}

export const numbered = (count: number, text: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`src/part-${String(i + 1).padStart(2, '0')}.js`, `${text} ${i}\n`]))

export function commitBase(git: TestGitServer, release: string): void {
  git.commit('base', `Release ${release}`, { ...BASE, release: `${release}\n` })
}
