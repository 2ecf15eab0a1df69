/** .dockerignore: what COPY . gets. */
import type { Case, ContextFile } from '../case'

const TREE: Record<string, ContextFile> = {
  'a.txt': 'a',
  'b.md': 'b',
  'README.md': 'r',
  'src/main.js': 'm',
  'src/main.test.js': 't',
  'src/deep/x.log': 'l',
  'src/deep/keep.log': 'k',
  'node_modules/p/index.js': 'i',
  'tmp/1': '1',
  'tmp/keep/2': '2',
  '.git/config': 'g',
  '.env': 'e',
}
const ignore = (name: string, text: string, more: Partial<Case> = {}): Case => ({
  name,
  dockerfile: 'FROM base\nCOPY . /ctx/\n',
  files: { ...TREE, '.dockerignore': text },
  ...more,
})

export const IGNORE: Case[] = [
  ignore('names', 'node_modules\n.git\n.env\n'),
  ignore('leading and trailing slashes', '/node_modules/\n./src/\n'),
  ignore('a star', '*.md\n'),
  ignore('two stars', '**/*.log\n'),
  ignore('two stars at the end', 'src/**\n'),
  ignore('two stars in the middle', 'src/**/x.log\n'),
  ignore('exceptions', '*.md\n!README.md\n'),
  ignore('an exception within a folder', 'tmp\n!tmp/keep\n'),
  ignore('everything but', '*\n!src\n!a.txt\n'),
  ignore('everything, two stars, but', '**\n!src/main.js\n'),
  ignore('an exception taken back', 'src\n!src/deep\nsrc/deep/x.log\n'),
  ignore('comments, empty lines, spaces', '# comment\n\n  *.md  \n #not a comment\n'),
  ignore('a question mark and a class', '?.txt\n[bB].md\ntmp/[0-9]\n'),
  ignore('the Dockerfile and itself', 'Dockerfile\n.dockerignore\n'),
  ignore('a byte order mark and Windows line ends', '\ufeff*.md\r\nsrc\r\n'),
  ignore('with ..', '../x\nsrc/../tmp\n'),
  ignore('a dot', '.\n!a.txt\n', { dockerfile: 'FROM base\nCOPY a.tx[t] /ctx/\n' }),
  ignore('stars in names', 's*/m*.js\n**/p\n'),
  ignore('a file of the Dockerfile’s own', 'a.txt\n', {
    files: { ...TREE, '.dockerignore': 'a.txt\n', 'Dockerfile.dockerignore': 'b.md\n' },
  }),
  ignore('an escaped exclamation mark', '\\!x\n', { files: { ...TREE, '!x': '1', '.dockerignore': '\\!x\n' } }),
]
