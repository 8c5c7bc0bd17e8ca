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
 * Failure: `PostgresServerError`, each with a hint; `isHopeless` marks those that waiting does not repair.
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
  linkSocketDirectory,
  prepareSocketDirectory,
  serverArguments,
  serverUser,
  shortNameOf,
  socketDirectoryOf,
  socketSetting
} from "./postgres-cluster.ts"
import { clearSocketDirectory } from "./postgres-pid-file.ts"
import { endPreviousServer } from "./postgres-previous.ts"
import { chooseIdentity, type ServerIdentity } from "./postgres-privileges.ts"
import { startProcess, withParentDeathSignal } from "./postgres-process.ts"
import {
  ClusterUnusable,
  PostgresServer,
  type PostgresServerError,
  type PostgresServerService,
  type RunningServer
} from "./postgres-server.port.ts"
import { inRealTime } from "../platform/subprocess.node.ts"
import { logEvent } from "../../runtime/log-event.ts"

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
  /** Where the server puts its socket; the target's directory, or what that is a link to. */
  readonly socketDirectory: string
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

/** Readable for every user by convention, writable for root, kept across reboots: unlike any temporary directory. */
const systemPlace = "/var/lib/holdfast"

const clusterExists = (home: string): Effect.Effect<boolean> =>
  Effect.promise(() =>
    fs.stat(path.join(home, "postgres", "PG_VERSION")).then(
      () => true,
      () => false
    )
  )

/** Where the cluster of a DATA_DIR is kept when the server's user cannot reach DATA_DIR. */
const elsewhereOf = (dataDir: string): string => path.join(systemPlace, shortNameOf(dataDir))

/**
 * Root only: the server's user cannot reach DATA_DIR, and namespaces are forbidden. A new cluster then lives in a
 * system directory of its own name. One that already has data in DATA_DIR is never moved: two copies of the truth
 * are worse than a clear refusal.
 */
const moveElsewhere = (dataDir: string): Effect.Effect<string, ClusterUnusable> =>
  Effect.gen(function* () {
    if (yield* clusterExists(dataDir)) {
      return yield* new ClusterUnusable({
        path: path.join(dataDir, "postgres"),
        cause: new Error(
          "the server's user cannot enter DATA_DIR, and user namespaces are forbidden on this machine"
        ),
        hint: "make every directory above DATA_DIR enterable (chmod o+x), or run holdfast as an ordinary user"
      })
    }
    const home = elsewhereOf(dataDir)
    yield* prepareDataDir(home)
    yield* Effect.logWarning(
      `DATA_DIR is unreadable for the server's user: the cluster is kept in ${home}`
    ).pipe(Effect.annotateLogs({ event: "postgres.cluster_elsewhere", path: home }))
    return home
  })

/** Binaries and identity for a cluster kept in `home`, the cheap ways first; `reaches` false when there is none. */
const equip = (options: EmbeddedOptions, found: PostgresBinaries, home: string) =>
  Effect.gen(function* () {
    const namespaces = options.namespaces ?? true
    const choose = (binaries: PostgresBinaries) =>
      Effect.map(
        chooseIdentity({ reach: { enter: [home], execute: binaries.postgres }, namespaces }),
        (choice) => ({
          ...choice,
          binaries
        })
      )
    const first = yield* choose(found)
    if (first.reaches) return first
    // Often only the project is hidden (/root/app) while DATA_DIR is not: then a copy of the binaries there is enough.
    return yield* choose(yield* copyBinaries(found, home))
  })

/** Decides as which user and from where the server runs. */
const choosePlace = (
  options: EmbeddedOptions,
  target: SocketTarget
): Effect.Effect<Place, PostgresServerError> =>
  Effect.gen(function* () {
    const { dataDir } = options
    const found = yield* locateBinaries({
      copyParent: dataDir,
      ...(options.nativeDirectory === undefined ? {} : { nativeDirectory: options.nativeDirectory })
    })
    // A cluster that was once moved elsewhere stays there, even when DATA_DIR became reachable: it is the data.
    const moved = process.getuid?.() === 0 && (yield* clusterExists(elsewhereOf(dataDir)))
    const home = moved ? elsewhereOf(dataDir) : dataDir
    const first = yield* equip(options, found, home)
    const placeIn = (at: string, choice: typeof first): Place => ({
      cluster: path.join(at, "postgres"),
      binaries: choice.binaries,
      identity: choice.identity,
      socketDirectory: at === dataDir ? target.directory : path.join(at, "run")
    })
    if (first.reaches) return placeIn(home, first)
    const elsewhere = yield* moveElsewhere(dataDir)
    return placeIn(elsewhere, yield* equip(options, found, elsewhere))
  })

/** The postmaster is gone but its backends are not yet: PostgreSQL's own interlock refuses, rightly, for a moment. */
const isHeldByOldBackends = (error: { readonly _tag: string; readonly cause: unknown }): boolean =>
  error._tag === "PostgresStartFailed" &&
  /pre-existing shared memory block|lock file ".*" already exists/.test(String(error.cause))

const oldBackendsSchedule = Schedule.spaced(100).pipe(Schedule.upTo({ duration: postgresLimits.oldServerMs }))

/** PostgreSQL believes a socket's lock file when its pid lives, whatever process has it now. */
const clearSockets = (directory: string): Effect.Effect<void, ClusterUnusable> =>
  Effect.try({
    try: () => clearSocketDirectory(directory, socketSetting(directory)),
    catch: (cause) =>
      new ClusterUnusable({
        path: directory,
        cause,
        hint: "the directory of the server's socket must be writable"
      })
  }).pipe(
    Effect.flatMap((names) =>
      names.some((name) => name.endsWith(".lock"))
        ? logEvent(
            "info",
            "postgres.remnant_removed",
            `removed what a killed server left: ${names.join(", ")}`,
            {
              component: "root/database"
            }
          )
        : Effect.void
    )
  )

const start = (options: EmbeddedOptions): Effect.Effect<RunningServer, PostgresServerError, Scope.Scope> =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    const database = options.database ?? "holdfast"
    const target = embeddedTarget(options.dataDir, database)
    yield* prepareDataDir(options.dataDir)
    const { cluster, binaries, identity, socketDirectory } = yield* choosePlace(options, target)
    // Before anything of the cluster is touched: nothing may change under a server that still runs.
    yield* endPreviousServer(cluster)
    yield* ensureCluster(cluster, binaries, identity)
    yield* prepareSocketDirectory(socketDirectory, identity)
    yield* clearSockets(socketDirectory)
    if (socketDirectory !== target.directory) yield* linkSocketDirectory(target.directory, socketDirectory)
    const settings = (options.extraSettings ?? []).flatMap((setting) => ["-c", setting])
    const plain = {
      file: binaries.postgres,
      args: [...serverArguments(cluster, socketDirectory), ...settings]
    }
    // The namespace outside, the death signal inside: changing credentials would clear it.
    const command = identity.wrap(yield* withParentDeathSignal(plain))
    // Checked again before another attempt: a pid that was dead a moment ago may belong to an unrelated process by now.
    const again = Effect.andThen(
      endPreviousServer(cluster),
      startProcess({ command, cluster, target, database })
    )
    const server = yield* startProcess({ command, cluster, target, database }).pipe(
      Effect.catchIf(isHeldByOldBackends, () => again),
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
  let running: number | null = null
  return {
    kind: "embedded",
    target: embeddedTarget(resolved.dataDir, resolved.database),
    pid: () => running,
    start: Effect.tap(start(resolved), ({ exited, pid = null }) => {
      running = pid
      // A number that somebody else may have by now is nobody's.
      const over = Effect.sync(() => {
        if (running === pid) running = null
      })
      return Effect.andThen(
        Effect.forkScoped(Effect.andThen(exited, over)),
        Effect.addFinalizer(() => over)
      )
    })
  }
}

export const layerEmbedded = (options: EmbeddedOptions): Layer.Layer<PostgresServer> =>
  Layer.succeed(PostgresServer, embeddedServer(options))
