/**
 * PostgreSQL server, embedded: the real server from npm, on a unix socket under DATA_DIR.
 *
 * The ready-made wrapper for these binaries was measured and refused: it creates users on the host, orphans its server,
 * and dies below a 0700 directory. This launcher is a list of steps, each with its deadline and its own typed error:
 * binaries -> identity -> directories -> cluster -> previous server -> process -> ready.
 *
 * Promises: as root, as an ordinary user, with spaces in paths, below a directory nobody else may enter; 0 rows lost
 * when we, the server or both are killed; no server outlives us; a start right after a kill waits for the old server.
 * Never: listens on TCP; touches another cluster; runs without the lock on DATA_DIR (the caller holds it).
 * Failure: `PostgresServerError`, each with a hint; `isHopeless` says which ones waiting does not repair.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { postgresLimits } from "./database-limits.ts"
import { socketTarget, type SocketTarget } from "./database-target.ts"
import { copyBinaries, locateBinaries, type PostgresBinaries } from "./postgres-binaries.ts"
import {
  ensureCluster,
  prepareSocketDirectory,
  serverArguments,
  serverUser,
  shortNameOf,
  socketDirectoryOf
} from "./postgres-cluster.ts"
import { endPreviousServer } from "./postgres-previous.ts"
import { chooseIdentity, type ServerIdentity } from "./postgres-privileges.ts"
import { startProcess, withParentDeathSignal } from "./postgres-process.ts"
import {
  ClusterUnusable,
  PostgresServer,
  type PostgresServerError,
  type PostgresServerService,
  type RunningServer
} from "./postgres-server.ts"
import { inRealTime } from "./subprocess.ts"

export interface EmbeddedOptions {
  /** DATA_DIR; created when missing. The cluster is `<dataDir>/postgres`. */
  readonly dataDir: string
  /** Name of the database the service uses. Default "holdfast". */
  readonly database?: string
  /** For tests: a directory with the package's `native/` content. */
  readonly nativeDirectory?: string
  /** For tests of machines that forbid user namespaces. Default true. */
  readonly namespaces?: boolean
  /** For tests: settings added to the server's command line, such as `fsync=off`. */
  readonly extraSettings?: ReadonlyArray<string>
}

/** Where the embedded server of a DATA_DIR listens. Pure: known before it runs. */
export const embeddedTarget = (dataDir: string, database = "holdfast"): SocketTarget =>
  socketTarget(socketDirectoryOf(dataDir), database, serverUser)

interface Place {
  readonly cluster: string
  readonly binaries: PostgresBinaries
  readonly identity: ServerIdentity
}

const prepareDataDir = (dataDir: string): Effect.Effect<void, ClusterUnusable> =>
  Effect.tryPromise({
    // 0711: a server that runs as another user must pass through; nobody can list it.
    try: () => fs.mkdir(dataDir, { recursive: true, mode: 0o711 }),
    catch: (cause) =>
      new ClusterUnusable({
        path: dataDir,
        cause,
        hint: "DATA_DIR must be creatable and writable by this user"
      })
  }).pipe(Effect.asVoid)

/** Readable for every user by convention, writable for root, kept over reboots: unlike any temporary directory. */
const systemPlace = "/var/lib/holdfast"

const clusterExists = (cluster: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fs.stat(path.join(cluster, "PG_VERSION")).then(
      () => true,
      () => false
    )
  )

/**
 * Root only: the server's user can reach neither the binaries nor DATA_DIR, and namespaces are forbidden. Binaries are
 * copied; what is unreachable of the data moves to a system directory of its own name. A cluster that already holds
 * data is never moved: two copies of the truth are worse than a clear refusal.
 */
const moveToReach = (options: EmbeddedOptions, binaries: PostgresBinaries, identity: ServerIdentity) =>
  Effect.gen(function* () {
    const place = path.join(systemPlace, shortNameOf(options.dataDir))
    const inside = path.join(options.dataDir, "postgres")
    if (yield* clusterExists(inside)) {
      return yield* new ClusterUnusable({
        path: inside,
        cause: new Error(
          "the server's user cannot enter DATA_DIR, and user namespaces are forbidden on this machine"
        ),
        hint: "make every directory above DATA_DIR enterable (chmod o+x), or run holdfast as an ordinary user"
      })
    }
    yield* prepareDataDir(place)
    const copied = yield* copyBinaries(binaries, place)
    const cluster = path.join(place, "postgres")
    yield* Effect.logWarning(
      `DATA_DIR is unreadable for the server's user: the cluster is kept in ${cluster}`
    ).pipe(Effect.annotateLogs({ event: "postgres.cluster_elsewhere", path: cluster }))
    return { cluster, binaries: copied, identity }
  })

/** Decides as whom and from where the server runs; tries the cheap ways first. */
const choosePlace = (options: EmbeddedOptions): Effect.Effect<Place, PostgresServerError> =>
  Effect.gen(function* () {
    const namespaces = options.namespaces ?? true
    const found = yield* locateBinaries({
      copyParent: options.dataDir,
      ...(options.nativeDirectory === undefined ? {} : { nativeDirectory: options.nativeDirectory })
    })
    const cluster = path.join(options.dataDir, "postgres")
    const choose = (binaries: PostgresBinaries) =>
      chooseIdentity({ reach: { enter: [options.dataDir], execute: binaries.postgres }, namespaces })
    const first = yield* choose(found)
    if (first.reaches) return { cluster, binaries: found, identity: first.identity }
    // Often only the project is hidden (/root/app) while DATA_DIR is not: then a copy of the binaries there is enough.
    const nearby = yield* copyBinaries(found, options.dataDir)
    const second = yield* choose(nearby)
    if (second.reaches) return { cluster, binaries: nearby, identity: second.identity }
    return yield* moveToReach(options, found, second.identity)
  })

/** The postmaster is gone but its backends are not yet: PostgreSQL's own interlock refuses, rightly, for a moment. */
const isHeldByOldBackends = (error: { readonly _tag: string; readonly cause: unknown }): boolean =>
  error._tag === "PostgresStartFailed" &&
  /pre-existing shared memory block|lock file ".*" already exists/.test(String(error.cause))

const oldBackendsSchedule = Schedule.spaced(100).pipe(Schedule.upTo({ duration: postgresLimits.oldServerMs }))

const start = (options: EmbeddedOptions): Effect.Effect<RunningServer, PostgresServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const database = options.database ?? "holdfast"
    const target = embeddedTarget(options.dataDir, database)
    yield* prepareDataDir(options.dataDir)
    const { cluster, binaries, identity } = yield* choosePlace(options)
    // Before anything of the cluster is touched: nothing may change under a server that still runs.
    yield* endPreviousServer(cluster)
    yield* ensureCluster(cluster, binaries, identity)
    yield* prepareSocketDirectory(target.directory, identity)
    const settings = (options.extraSettings ?? []).flatMap((setting) => ["-c", setting])
    const plain = {
      file: binaries.postgres,
      args: [...serverArguments(cluster, target.directory), ...settings]
    }
    // The namespace outside, the death signal inside: changing credentials would clear it.
    const command = identity.wrap(yield* withParentDeathSignal(plain))
    const server = yield* startProcess({ command, cluster, target, database }).pipe(
      Effect.retry({ while: isHeldByOldBackends, schedule: oldBackendsSchedule })
    )
    return {
      target,
      pid: server.pid,
      mode: identity.label,
      startedInMs: Math.round(performance.now() - startedAt),
      exited: server.exited
    }
  }).pipe(inRealTime)

export const embeddedServer = (options: EmbeddedOptions): PostgresServerService => {
  const resolved = { ...options, dataDir: path.resolve(options.dataDir) }
  return {
    kind: "embedded",
    target: embeddedTarget(resolved.dataDir, resolved.database),
    start: start(resolved)
  }
}

export const layerEmbedded = (options: EmbeddedOptions): Layer.Layer<PostgresServer> =>
  Layer.succeed(PostgresServer, embeddedServer(options))
