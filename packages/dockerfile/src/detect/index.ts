/** Apart from the package's other index: what reads TOML has no place in the browser. */
export { CHOICES, detect, detectAll, type Found, LOOKED_FOR } from './detect'
export type { Detection, Evidence, Refusal } from './detection'
export { HEAD_LIMIT, MANIFEST_COUNT, MANIFEST_LIMIT, SKIPPED_FOLDERS, TREE_DEPTH, TREE_FILES, type Tree, wanted } from './tree'
