/**
 * Who may what, as tables that people read and the test walks. A letter in a cell is a place where it is allowed, a dot one
 * where it is not; what the letters stand for is said at each table.
 */

/** In the order of the columns. Grants are on all three repositories of acme, and on its project `shop`. */
export const PEOPLE = [
  'owner', // of acme
  'admin',
  'developer',
  'guest',
  'team', // a guest of acme, in a team that was given developer
  'reader', // no member, given guest
  'helper', // no member, given developer
  'keeper', // no member, given admin
  'rival', // owner of another organization
  'stranger', // has an account, and nothing else
  'robot', // of acme, may pull everything there
  'pusher', // a robot of acme, may pull and push `private`, and what begins with `not-`
  'deleter', // a robot of acme, may pull and delete what begins with `in`
  'foreign', // a robot of the other organization, may do everything there
  'share', // a link to the private repository's image
  'nobody',
] as const
export type Person = (typeof PEOPLE)[number]

export type Table<V extends string> = Record<V, Record<Person, string>>

/** The first row names the columns; a wrong one, or a wrong number of cells, fails at once. */
function table<V extends string>(text: string): Table<V> {
  const [head = [], ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
  if (head[1]?.split(/\s+/).join() !== PEOPLE.join()) throw new Error(`columns: ${head[1]}`)
  return Object.fromEntries(
    rows.map(([verb = '', cells = '']) => {
      const values = cells.split(/\s+/)
      if (values.length !== PEOPLE.length) throw new Error(`${verb}: ${values.length} cells for ${PEOPLE.length} people`)
      return [verb, Object.fromEntries(PEOPLE.map((person, i) => [person, values[i]?.replace(/\./g, '')]))]
    }),
  ) as Table<V>
}

export type RegistryVerb =
  | 'pull tag'
  | 'pull digest'
  | 'blob'
  | 'list tags'
  | 'referrers'
  | 'in catalog'
  | 'mount from'
  | 'start upload'
  | 'send bytes'
  | 'look at upload'
  | 'end upload'
  | 'finish upload'
  | 'push manifest'
  | 'delete tag'
  | 'delete manifest'
  | 'delete blob'

/** On the wire, each with the token that docker would get. p, i, u: acme's repository that is private, internal, public. */
export const REGISTRY = table<RegistryVerb>(`
                 | owner admin developer guest team reader helper keeper rival stranger robot pusher deleter foreign share nobody
pull tag         | piu   piu   piu       piu   piu  piu    piu    piu    .iu   .iu      piu   p.u    .iu     ..u     ..u   ..u
pull digest      | piu   piu   piu       piu   piu  piu    piu    piu    .iu   .iu      piu   p.u    .iu     ..u     p.u   ..u
blob             | piu   piu   piu       piu   piu  piu    piu    piu    .iu   .iu      piu   p.u    .iu     ..u     p.u   ..u
list tags        | piu   piu   piu       piu   piu  piu    piu    piu    .iu   .iu      piu   p.u    .iu     ..u     ..u   ..u
referrers        | piu   piu   piu       piu   piu  piu    piu    piu    .iu   .iu      piu   p.u    .iu     ..u     ..u   ..u
in catalog       | piu   piu   piu       piu   piu  piu    piu    piu    .iu   .iu      piu   p.u    .iu     ..u     ...   ...
mount from       | piu   piu   piu       ...   piu  ...    piu    piu    .iu   ...      ...   ..u    ...     ..u     ...   ...
start upload     | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   p..    ...     ...     ...   ...
send bytes       | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   p..    ...     ...     ...   ...
look at upload   | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   p..    ...     ...     ...   ...
end upload       | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   p..    ...     ...     ...   ...
finish upload    | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   p..    ...     ...     ...   ...
push manifest    | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   p..    ...     ...     ...   ...
delete tag       | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   ...    .i.     ...     ...   ...
delete manifest  | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   ...    .i.     ...     ...   ...
delete blob      | piu   piu   piu       ...   piu  ...    piu    piu    ...   ...      ...   ...    .i.     ...     ...   ...
`)

/**
 * Where nothing was granted. e: another private repository of acme; n: one of acme that is not there yet; o: the other
 * organization's own private one.
 */
export const ELSEWHERE = table<'pull tag' | 'start upload' | 'delete tag'>(`
                 | owner admin developer guest team reader helper keeper rival stranger robot pusher deleter foreign share nobody
pull tag         | en.   en.   en.       en.   en.  ...    ...    ...    ..o   ...      en.   .n.    ...     ..o     ...   ...
start upload     | en.   en.   en.       ...   ...  ...    ...    ...    ..o   ...      ...   .n.    ...     ..o     ...   ...
delete tag       | en.   en.   en.       ...   ...  ...    ...    ...    ..o   ...      ...   ...    ...     ..o     ...   ...
`)

export type PanelVerb =
  | 'repository'
  | 'tags'
  | 'history of a tag'
  | 'untagged'
  | 'point tag'
  | 'image'
  | 'packages'
  | 'provenance'
  | 'archive'
  | 'who may'
  | 'delete tag'
  | 'delete image'
  | 'delete repository'
  | 'visibility'
  | 'give a role'
  | 'take a role'
  | 'files'
  | 'search files'
  | 'packages in files'
  | 'compare'
  | 'compare with elsewhere'
  | 'about'
  | 'rules'
  | 'describe'
  | 'rename'
  | 'add a rule'

/** Pages of one repository; p, i, u as above, e: another private one of acme. */
export const PANEL = table<PanelVerb>(`
                 | owner admin developer guest team reader helper keeper rival stranger robot pusher deleter foreign share nobody
repository       | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
tags             | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
history of a tag | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
untagged         | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
point tag        | piue  piue  piue      ....  piu. ....   piu.   piu.   ....  ....     ....  ....   ....    ....    ....  ....
image            | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
packages         | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
provenance       | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
archive          | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
who may          | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
delete tag       | piue  piue  piue      ....  piu. ....   piu.   piu.   ....  ....     ....  ....   ....    ....    ....  ....
delete image     | piue  piue  piue      ....  piu. ....   piu.   piu.   ....  ....     ....  ....   ....    ....    ....  ....
delete repository| piue  piue  ....      ....  .... ....   ....   piu.   ....  ....     ....  ....   ....    ....    ....  ....
visibility       | piue  piue  ....      ....  .... ....   ....   piu.   ....  ....     ....  ....   ....    ....    ....  ....
give a role      | piue  piue  ....      ....  .... ....   ....   piu.   ....  ....     ....  ....   ....    ....    ....  ....
take a role      | piue  piue  ....      ....  .... ....   ....   piu.   ....  ....     ....  ....   ....    ....    ....  ....
files            | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
search files     | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
packages in files| piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
compare          | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
compare with elsewhere| piue  piue  piue      piue  piue ....   ....   ....   ....  ....     ....  ....   ....    ....    ....  ....
about            | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
rules            | piue  piue  piue      piue  piue piu.   piu.   piu.   .iu.  .iu.     ....  ....   ....    ....    ....  ....
describe         | piue  piue  piue      ....  piu. ....   piu.   piu.   ....  ....     ....  ....   ....    ....    ....  ....
rename           | piue  piue  ....      ....  .... ....   ....   piu.   ....  ....     ....  ....   ....    ....    ....  ....
add a rule       | piue  piue  ....      ....  .... ....   ....   piu.   ....  ....     ....  ....   ....    ....    ....  ....
`)

export type AppVerb =
  | 'app'
  | 'watch app'
  | 'log'
  | 'builds'
  | 'variables'
  | 'values'
  | 'change app'
  | 'set variables'
  | 'stop'
  | 'webhook'
  | 'new webhook secret'
  | 'hear an SSH agent’s questions'
  | 'answer for an SSH agent'
  | 'who may'
  | 'give a role'

/** Apps: s: in the project that grants are on; t: in another project of acme. */
export const APPS = table<AppVerb>(`
                 | owner admin developer guest team reader helper keeper rival stranger robot pusher deleter foreign share nobody
app              | st    st    st        st    st   s.     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
watch app        | st    st    st        st    st   s.     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
log              | st    st    st        st    st   s.     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
builds           | st    st    st        st    st   s.     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
variables        | st    st    st        st    st   s.     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
values           | st    st    st        ..    s.   ..     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
change app       | st    st    st        ..    s.   ..     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
set variables    | st    st    st        ..    s.   ..     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
stop             | st    st    st        ..    s.   ..     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
webhook          | st    st    st        ..    s.   ..     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
new webhook secret | st  st    st        ..    s.   ..     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
hear an SSH agent’s questions | ..  .. ..     ..    ..   ..     ..     ..     ..    ..       ..    ..     ..      ..      ..    ..
answer for an SSH agent       | ..  .. ..     ..    ..   ..     ..     ..     ..    ..       ..    ..     ..      ..      ..    ..
who may          | st    st    st        st    st   s.     s.     s.     ..    ..       ..    ..     ..      ..      ..    ..
give a role      | st    st    ..        ..    ..   ..     ..     s.     ..    ..       ..    ..     ..      ..      ..    ..
`)

export type OrganizationVerb =
  | 'read'
  | 'watch'
  | 'members'
  | 'search'
  | 'audit log'
  | 'all images'
  | 'all apps'
  | 'new project'
  | 'invite'
  | 'invite an owner'
  | 'change a role'
  | 'teams'
  | 'new team'
  | 'robots'
  | 'replication'
  | 'new replication'
  | 'hosts'
  | 'where a file is used'
  | 'links to an image'
  | 'new link'
  | 'revoke a link'
  | 'outgoing webhooks'
  | 'new outgoing webhook'
  | 'change an outgoing webhook'
  | 'its deliveries'
  | 'delete an outgoing webhook'
  | 'rules of tags'
  | 'add a rule of tags'
  | 'retention'
  | 'set retention'
  | 'dry run of retention'
  | 'run retention'
  | 'remove a rule of tags'
  | 'change an upstream'
  | 'empty an upstream'
  | 'remove an upstream'
  | 'quota'
  | 'all quotas'
  | 'set a quota'
  | 'storage'
  | 'collectable blobs'
  | 'storage of all'
  | 'verify the store'
  | 'upstreams'
  | 'new upstream'
  | 'give a repository away'
  | 'remove a member'
  | 'invitations'
  | 'revoke an invitation'
  | 'new robot'

/** The organization as a whole; x: acme. What a grant gives reaches none of it. */
export const ORGANIZATION = table<OrganizationVerb>(`
                 | owner admin developer guest team reader helper keeper rival stranger robot pusher deleter foreign share nobody
read             | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
watch            | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
members          | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
search           | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
audit log        | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
all images       | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
all apps         | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
new project      | x     x     x         .     .    .      .      .      .     .        .     .      .       .       .     .
invite           | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
invite an owner  | x     .     .         .     .    .      .      .      .     .        .     .      .       .       .     .
change a role    | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
teams            | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
new team         | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
robots           | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
replication      | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
new replication  | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
hosts            | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
where a file is used| x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
links to an image| x     x     x         .     .    .      .      .      .     .        .     .      .       .       .     .
new link         | x     x     x         .     .    .      .      .      .     .        .     .      .       .       .     .
revoke a link    | x     x     x         .     .    .      .      .      .     .        .     .      .       .       .     .
outgoing webhooks| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
new outgoing webhook| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
change an outgoing webhook| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
its deliveries   | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
delete an outgoing webhook| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
rules of tags    | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
add a rule of tags| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
retention        | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
set retention    | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
dry run of retention| x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
run retention| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
remove a rule of tags| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
change an upstream| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
empty an upstream| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
remove an upstream| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
quota            | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
all quotas       | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
set a quota      | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
storage          | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
collectable blobs| x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
storage of all   | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
verify the store | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
upstreams        | x     x     x         x     x    .      .      .      .     .        .     .      .       .       .     .
new upstream     | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
give a repository away| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
remove a member  | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
invitations      | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
revoke an invitation| x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
new robot        | x     x     .         .     .    .      .      .      .     .        .     .      .       .       .     .
`)
