/**
 * The BuildPlan: what `packages/dockerfile` makes of a Dockerfile and the agent's `build` crate solves.
 * A DAG, like BuildKit's LLB, as JSON. The planner has already resolved every base image's configuration, so the plan
 * holds the complete environment, user and working directory of each RUN, and the finished image configuration;
 * the agent interprets no Dockerfile. Fixtures in ../../fixtures are parsed by these schemas and by the Rust types.
 */
import * as z from 'zod'

const vertexId = z.string().regex(/^v\d{1,5}$/)
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)

/** Base image. `reference` is what the user wrote, normalized; `digest` (manifest, or image id for a local image) pins it. */
const imageOp = z.object({ type: z.literal('image'), reference: z.string(), digest: z.string() })
/** An empty file system (FROM scratch). */
const scratchOp = z.object({ type: z.literal('scratch') })
/**
 * Files of a context of the request (`contexts`), like LLB's local source: a named context, or a Git repository that ADD names. Read by `from` of copies and mounts; never an `input` nor the target: FROM of one is a scratch and a copy.
 */
const contextOp = z.object({ type: z.literal('context'), name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/) })
const mountTarget = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]+$/)
const mountId = z.string().min(1).max(4096)
/** Permission bits with setuid, setgid and sticky. */
const mode = z.number().int().min(0).max(0o7777)
const owner = { mode, uid: z.number().int().min(0).max(4_294_967_294), gid: z.number().int().min(0).max(4_294_967_294) }
/** RUN --mount. Sources are slash paths from the root of `from`; they and targets stay beneath their roots. */
const runMount = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('bind'),
    target: mountTarget,
    /** null: the build context. */
    from: vertexId.nullable(),
    source: z.string(),
    /** The step may write; what it writes is thrown away. */
    write: z.literal(true).optional(),
  }),
  /** `size` in bytes. */
  z.object({ type: z.literal('tmpfs'), target: mountTarget, size: z.number().int().positive().optional() }),
  z.object({
    type: z.literal('cache'),
    target: mountTarget,
    /** Its name within the cache scope. */
    id: mountId,
    /** `shared`: many steps at once; `locked`: one after the other; `private`: another folder while one is in use. */
    sharing: z.enum(['shared', 'private', 'locked']),
    /** What a new cache begins with: `source` of this vertex, or nothing (then `source` is a folder of the cache). */
    from: vertexId.nullable(),
    source: z.string(),
    ...owner,
    readonly: z.literal(true).optional(),
  }),
  /** At `target`, as the variable `env`, or both. One that is not given is left out, or an error when it is `required`. */
  z.object({
    type: z.literal('secret'),
    id: mountId,
    target: mountTarget.nullable(),
    env: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/)
      .nullable(),
    required: z.boolean(),
    ...owner,
  }),
  z.object({ type: z.literal('ssh'), id: mountId, target: mountTarget, required: z.boolean(), ...owner }),
  /** A file whose content stands in the Dockerfile: the script of `RUN <<EOF` with a `#!` line. */
  z.object({ type: z.literal('file'), target: mountTarget, data: z.string(), mode }),
])
/** RUN: `args` is the final argv (shell form is already wrapped by SHELL). A non-zero exit fails the build. */
const execOp = z.object({
  type: z.literal('exec'),
  input: vertexId,
  args: z.array(z.string()).min(1),
  /** KEY=value, in order; build ARGs in scope come after the image's ENV. */
  env: z.array(z.string()),
  cwd: z.string(),
  /** `` | uid | name | uid:gid | name:group, resolved by the agent in the vertex's own /etc/passwd. */
  user: z.string(),
  mounts: z.array(runMount).min(1).max(101).optional(),
  /** Absent: the default bridge. `host` is refused unless the host allows it. */
  network: z.enum(['none', 'host']).optional(),
  /** --security=insecure: everything a privileged container may. Refused unless the host allows it. */
  insecure: z.literal(true).optional(),
  /** What the step's machine is called; absent: what the agent calls it. */
  hostname: z
    .string()
    .regex(/^(?=.{1,63}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/)
    .optional(),
})
/** A file whose content stands in the Dockerfile (`COPY <<name`): mode 0644 unless `chmod` says otherwise. */
const inlineFile = z.object({ name: z.string().regex(/^(?!\.{1,2}$)[^/\0]{1,255}$/), data: z.string() })
/** Sources that lie elsewhere than those before them. */
const copyPart = z.object({ from: vertexId.nullable(), sources: z.array(z.string()).min(1), extract: z.boolean() })
/** COPY and ADD. Sources are slash paths or Go filepath.Match patterns beneath the root of `from`. */
const copyOp = z
  .object({
    type: z.literal('copy'),
    input: vertexId,
    /** null: the build context. */
    from: vertexId.nullable(),
    /** May be empty when there are `inline` files. */
    sources: z.array(z.string()),
    /** Copied after `sources`. */
    inline: z.array(inlineFile).min(1).optional(),
    /** Absolute; a trailing slash means "into this directory". Missing parents are created 0755 and belong to `chown`. */
    dest: z.string(),
    /** `` or as `user` above; as in Docker, `` is 0:0 for the context and keeps the owners of another vertex's files. */
    chown: z.string(),
    /** Octal digits, or chmod(1)'s letters applied to the source's mode (no umask), or null: keep the source's mode. */
    chmod: z
      .string()
      .regex(/^(?:[0-7]{3,4}|[ugoa]*(?:[-+=][rwxXst]*)+(?:,[ugoa]*(?:[-+=][rwxXst]*)+)*)$/)
      .nullable(),
    /** ADD: a local tar archive (none, gzip, bzip2, xz, zstd; told by its first bytes) is unpacked into dest. */
    extract: z.boolean(),
    /** --parents: sources keep their path in `dest`; of one with a `/./` only what stands behind it. */
    parents: z.literal(true).optional(),
    /** --exclude: patterns (`**` and `!` as in .dockerignore) from each source directory; of a source file: its name. */
    exclude: z.array(z.string()).min(1).max(1000).optional(),
    /** --link: the layer is made without a look at `input`, so that it is found again whatever it lies on. */
    link: z.literal(true).optional(),
    /** Further sources of one ADD (files and URLs mixed), copied behind `sources`, in order, before `inline`. */
    more: z.array(copyPart).min(1).max(1000).optional(),
  })
  .refine((op) => op.sources.length > 0 || op.inline, { message: 'a copy needs a source', path: ['sources'] })
/**
 * ADD of a URL: a file system with one file in its root, mode 0600, root's, of the time that the server tells. Fetched by the agent, only
 * when its cache does not know better: with `checksum` it does not even ask. `url` may hold credentials: never show it.
 */
const httpOp = z.object({
  type: z.literal('http'),
  url: z
    .string()
    .max(8192)
    .regex(/^https?:\/\/[\x21-\x7e]+$/),
  /** What the content must have. */
  checksum: digest.nullable(),
  filename: z.string().regex(/^(?!\.{1,2}$)[^/\0]{1,255}$/),
})
/** WORKDIR: creates the directory (0755) when it is missing; no layer when it exists. */
const mkdirOp = z.object({ type: z.literal('mkdir'), input: vertexId, path: z.string(), user: z.string() })

export const buildVertex = z.object({
  id: vertexId,
  /** As shown to people: `[build 2/5] RUN npm ci`. */
  name: z.string(),
  /** Stage name or index as text. */
  stage: z.string(),
  /** The instruction as written, on one line and cut for pages; the history of a layer that has no `createdBy` of its own. */
  instruction: z.string(),
  /** 1-based lines in the Dockerfile. */
  line: z.number().int().positive(),
  endLine: z.number().int().positive(),
  /** Where a plan has several: what it runs on and, when that is another one, what it is for: `linux/amd64->linux/arm64`. */
  platform: z.string().min(1).max(100).optional(),
  op: z.discriminatedUnion('type', [imageOp, scratchOp, contextOp, execOp, copyOp, httpOp, mkdirOp]),
})

/** OCI image-spec 1.1 config.config, with Docker's additions (Healthcheck, Shell, OnBuild). Absent = unset. */
export const imageConfig = z.object({
  User: z.string().optional(),
  ExposedPorts: z.record(z.string(), z.object({})).optional(),
  Env: z.array(z.string()).optional(),
  Entrypoint: z.array(z.string()).nullish(),
  Cmd: z.array(z.string()).nullish(),
  Volumes: z.record(z.string(), z.object({})).optional(),
  WorkingDir: z.string().optional(),
  Labels: z.record(z.string(), z.string()).optional(),
  StopSignal: z.string().optional(),
  Healthcheck: z
    .object({
      Test: z.array(z.string()),
      /** Nanoseconds, as in Docker. */
      Interval: z.number().optional(),
      Timeout: z.number().optional(),
      StartPeriod: z.number().optional(),
      StartInterval: z.number().optional(),
      Retries: z.number().int().optional(),
    })
    .optional(),
  Shell: z.array(z.string()).optional(),
  OnBuild: z.array(z.string()).optional(),
})

/** One history entry for the instructions of the target's own stages (the base's history is put before it by the agent). */
const historyEntry = z.object({
  /** Whole, as long as all of them are not more than two million characters. */
  createdBy: z.string(),
  /** The vertex whose layer this is, or null: metadata only (`empty_layer`). */
  vertex: vertexId.nullable(),
})

const platform = z.object({ os: z.literal('linux'), architecture: z.string(), variant: z.string().optional() })
const planTarget = z.object({
  platform,
  target: vertexId,
  image: z.object({ config: imageConfig, history: z.array(historyEntry), author: z.string().optional() }),
})

export const buildPlan = planTarget.extend({
  version: z.literal(1),
  /** Topologically ordered: inputs come before their users. Vertices no target needs are left out. At most 1,000. */
  vertices: z.array(buildVertex).min(1).max(1000),
  /** Further images, each of another platform: then the result is an index of all of them. */
  more: z.array(planTarget).min(1).max(15).optional(),
})

export type BuildPlan = z.infer<typeof buildPlan>
export type BuildVertex = z.infer<typeof buildVertex>
export type BuildOp = BuildVertex['op']
export type ImageConfig = z.infer<typeof imageConfig>
export const buildDigest = digest
