/** Every limit on what is read from a repository. Beyond them the file is refused, never cut. */
export const LIMITS = {
  /** UTF-16 units of a Dockerfile (a byte limit for ASCII; the caller limits the bytes it reads as well). */
  fileLength: 1024 * 1024,
  instructions: 50_000,
  /** As the contract's BuildPlan. */
  vertices: 1000,
  contexts: 64,
  /** Steps of matching the patterns of one value: some 100 ms. */
  globWork: 5_000_000,
  /** `${a:-${b:-${c}}}` */
  expansionDepth: 32,
  /** Linux refuses one argument or variable beyond 128 KiB (MAX_ARG_STRLEN). */
  valueLength: 131_071,
  /** Sum over the environments of all RUN steps of a plan: `ENV A=$A$A` must not become gigabytes. */
  planEnvLength: 32 * 1024 * 1024,
  /** All ports of two protocols. */
  exposedPorts: 131_072,
  /** `instruction`, which pages show. */
  instructionLength: 2048,
  /** All `createdBy` of a plan: they are the most of an image's configuration, of which registries take a few megabytes. */
  historyLength: 2 * 1024 * 1024,
  /** Of an ADD, as the contract's. */
  urlLength: 8192,
  nameLength: 400,
  ignoreFileLength: 256 * 1024,
  ignorePatterns: 5000,
  ignorePatternLength: 4096,
  /** States × characters over all paths of one context: about ten seconds. */
  ignoreWork: 4_000_000_000,
} as const
