/**
 * `POST /slipway/v1/builds` of the agent.
 *
 * Request body: one tar stream (`application/x-tar`). It begins with the build's secrets, `secrets/<id>` each, at most 100 of
 * 500 KiB, which the agent keeps in memory only, and the names of the SSH agents for `RUN --mount=type=ssh`, `ssh/<id>` each, with
 * nothing in it: the client answers for them. Then comes `request.json` (a `BuildRequest`), and nothing else: the build's files are
 * uploaded before (`context-api.ts`), already filtered by `.dockerignore`.
 * Response: 200 and NDJSON (`application/x-ndjson`), one `BuildEvent` a line, until the last `result` or `error`; a
 * `ping` at least every 10 s keeps a dead connection visible. Closing the connection cancels the build, so does
 * `X-Registry-Auth`, as for Docker's pull and push, logs in to the registries of `cache`.
 * `POST /slipway/v1/builds/{id}/ssh/{ask}` with a message of the SSH agent protocol, without its length, answers a `ssh` event (204;
 * 404 when nothing waits for it any more). What is not answered within two minutes, or wrongly, the step is refused.
 * `DELETE /slipway/v1/builds/{id}` (204, or 404). A second POST with the id of a running build answers 409.
 */
import * as z from 'zod'
import { buildOutput } from './build-output'
import { buildDigest, buildPlan } from './build-plan'
import { contextDigest } from './context-api'

export const buildRequest = z.object({
  /** Slipway's build id. */
  id: z.string(),
  /** Cache scope: an organization's id. Entries are never shared across scopes. */
  scope: z.string(),
  plan: buildPlan,
  /** Names given to the finished image: `slipway.local/acme/hello:build-12`. */
  tags: z.array(z.string()).max(16),
  /** False: the image is made and measured, but neither named nor kept; `tags` then only say whose build it is. */
  keep: z.boolean().optional(),
  noCache: z.boolean().default(false),
  limits: z
    .object({
      memoryBytes: z.number().int().positive().optional(),
      cpuMillis: z.number().int().positive().optional(),
      pids: z.number().int().positive().optional(),
      /** What one step may write to the disk: its layer, and what cache mounts grow by. */
      diskBytes: z.number().int().positive().optional(),
      timeoutMs: z.number().int().positive(),
    })
    .default({ timeoutMs: 30 * 60_000 }),
  cache: z
    .object({
      /**
       * False for code of people outside of the organization (pull requests of forks): the scope's cache is read, but nothing of
       * this build gets into it, and its cache mounts begin empty and go with it.
       */
      write: z.boolean().optional(),
      /** Caches in registries (`slipway.local/acme/shop:slipway-build-cache`) that are looked into for what the host has not. */
      from: z.array(z.string()).max(4).optional(),
      /** Where the build's steps are left. `min`: those the image is made of, whose layers go there anyway; `max`: all. */
      to: z.object({ reference: z.string(), mode: z.enum(['min', 'max']).optional() }).optional(),
    })
    .optional(),
  output: buildOutput.optional(),
  /** The build context, uploaded and committed before; absent: it is empty. */
  context: z.object({ tree: contextDigest }).optional(),
  /** Those that `context` vertices of the plan name; one that is absent is empty. */
  contexts: z.record(z.string(), z.object({ tree: contextDigest })).optional(),
})
export type BuildRequest = z.input<typeof buildRequest>

const at = z.number() // Unix time in milliseconds
/** Why a vertex was not taken from the cache; `detail` is a sentence part for people: `3 files changed: a, b, c`. */
export const cacheReason = z.enum([
  'first-time',
  'files-changed',
  'input-changed',
  'instruction-changed',
  'base-moved',
  'evicted',
  'no-cache',
])

const resultLayers = z.array(z.object({ digest: z.string(), diffId: z.string(), size: z.number() }))

export const buildEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping'), at }),
  z.object({
    type: z.literal('vertex'),
    id: z.string(),
    at,
    status: z.enum(['running', 'cached', 'done', 'failed', 'canceled']),
    /** On cached, done, failed, canceled. */
    durationMs: z.number().optional(),
    miss: z.object({ reason: cacheReason, detail: z.string() }).optional(),
    /** Set on cached and done when the vertex made a layer. Sizes in bytes: compressed, and of the tar. */
    layer: z.object({ digest: z.string(), diffId: z.string(), size: z.number(), unpackedSize: z.number() }).optional(),
    exitCode: z.number().int().optional(),
    peakMemoryBytes: z.number().optional(),
    cpuMs: z.number().optional(),
    /** On running: how long it waited for a free place among the running steps, or for another build doing the same; on cached: for that one. */
    waitMs: z.number().optional(),
    /** Bytes a RUN read from disks and wrote to files there; what the page cache had is not read. */
    diskReadBytes: z.number().optional(),
    diskWrittenBytes: z.number().optional(),
    /** On cached and done, of an ADD of a URL: the digest of the file that it gave. */
    contentDigest: buildDigest.optional(),
  }),
  /** UTF-8 (invalid bytes replaced), at most 16 KiB; not split inside a character; lines may span chunks. */
  z.object({ type: z.literal('log'), id: z.string(), at, stream: z.enum(['stdout', 'stderr']), data: z.string() }),
  /** A step asks its SSH agent `id`: which keys there are (11) or for a signature (13), as hex digits. All else the agent refuses itself. */
  z.object({
    type: z.literal('ssh'),
    at,
    id: z.string(),
    ask: z.number().int(),
    message: z.string().regex(/^(?:[0-9a-f]{2}){1,262144}$/),
  }),
  z.object({
    type: z.literal('result'),
    at,
    /** Image id: digest of the config. */
    imageId: z.string(),
    manifestDigest: z.string(),
    size: z.number(),
    layers: resultLayers,
    /**
     * Of a plan with several platforms: the images in the index that `manifestDigest` is then of. `imageId` and `layers` are those of the
     * one that the host itself uses; `size` is of all.
     */
    platforms: z
      .array(z.object({ platform: z.string(), imageId: z.string(), manifestDigest: z.string(), size: z.number(), layers: resultLayers }))
      .optional(),
    durationMs: z.number(),
    /** Of a build with `cache.from` or `cache.to`. */
    sharedCache: z
      .object({
        /** Steps that were found in a registry's cache, and nowhere else. */
        hits: z.number().int(),
        /** Bytes that went there; absent when nothing was to be left, or it could not be. */
        movedBytes: z.number().optional(),
        /** A sentence part for people: what went wrong, at the cost of time only. */
        problem: z.string().optional(),
      })
      .optional(),
  }),
  z.object({
    type: z.literal('error'),
    at,
    code: z.enum([
      'EXEC_FAILED',
      'OUT_OF_MEMORY',
      'COPY_FAILED',
      'DOWNLOAD_FAILED',
      'BASE_NOT_FOUND',
      'BAD_PLAN',
      'BAD_CONTEXT',
      'NOT_ALLOWED',
      'SECRET_MISSING',
      'CANCELED',
      'TIMEOUT',
      'DISK_FULL',
      'DISK_LIMIT',
      // Only with `cache.from`: a result that was found there cannot be fetched. The same build without it is fine.
      'CACHE_LOST',
      'INTERNAL',
    ]),
    /** One sentence for the user. */
    message: z.string(),
    vertex: z.string().optional(),
    exitCode: z.number().int().optional(),
  }),
])
export type BuildEvent = z.infer<typeof buildEvent>

/** `GET /slipway/v1/health`. */
export const agentHealth = z.object({
  status: z.literal('ok'),
  version: z.string(),
  /** 8 hex digits derived from the data root; part of the names of bridges, cgroups and nftables tables. */
  instance: z.string(),
  containers: z.number().int(),
  bridge: z.object({ name: z.string(), subnet: z.string() }).nullable(),
  /** Addresses, networks and host names inside this network that what users write may be fetched from. */
  downloadInside: z.array(z.string()).default([]),
})
