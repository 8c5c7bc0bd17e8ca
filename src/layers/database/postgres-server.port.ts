/**
 * PostgreSQL server: the port behind which a database server is started, watched and stopped.
 *
 * The database actor must not care whether the server is our child under DATA_DIR or an external one behind
 * DATABASE_URL: it starts it, waits for its end, starts it again. Only the embedded adapter has something to do.
 *
 * Promises: `start` ends within its inner deadlines with a running server or one typed error that carries a hint; the
 * server stops when the scope closes; `exited` reports every end, ours included.
 * Never: restarts by itself, touches data that is not its own, adopts a server it did not start.
 */
import { Context, Data, type Effect, type Scope } from "effect"
import type { DatabaseTarget } from "./database-target.ts"

/** How a server process ended. `requested`: we asked for it. `lastLines`: the end of its own log. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly requested: boolean
  readonly lastLines: ReadonlyArray<string>
}

export interface RunningServer {
  readonly target: DatabaseTarget
  /** Process id of the postmaster; undefined for a server that is not ours. */
  readonly pid: number | undefined
  /** How the server runs, for `/health`: "as nobody", "external". */
  readonly mode: string
  /** Milliseconds from the call of `start` to the first working connection. */
  readonly startedInMs: number
  /** Completes when the process ends; never for a server that is not ours. */
  readonly exited: Effect.Effect<ServerExit>
}

interface Explained {
  /** What an operator can do about it. */
  readonly hint: string
  readonly cause: unknown
}

/** The platform package with the binaries is absent or incomplete. Waiting does not repair it. */
export class PostgresBinariesMissing extends Data.TaggedError("PostgresBinariesMissing")<
  Explained & { readonly platform: string }
> {}
/** No user the server could run as: root without `postgres`/`nobody`, or a uid without a passwd entry. */
export class PostgresUserUnusable extends Data.TaggedError("PostgresUserUnusable")<
  Explained & { readonly uid: number }
> {}
/** The cluster directory cannot be used: no rights, wrong owner, another major version, not a cluster. */
export class ClusterUnusable extends Data.TaggedError("ClusterUnusable")<
  Explained & { readonly path: string }
> {}
/** `initdb` failed or did not finish in time; nothing of it is left behind. */
export class ClusterInitFailed extends Data.TaggedError("ClusterInitFailed")<
  Explained & { readonly path: string }
> {}
/** An earlier server of this cluster did not end in time. */
export class OldServerStillRunning extends Data.TaggedError("OldServerStillRunning")<
  Explained & { readonly pid: number }
> {}
/** The process ended before it was ready; `cause` is the end of its log. */
export class PostgresStartFailed extends Data.TaggedError("PostgresStartFailed")<
  Explained & { readonly exit: ServerExit | undefined }
> {}
/** A step did not finish within its deadline. */
export class PostgresStartTimedOut extends Data.TaggedError("PostgresStartTimedOut")<
  Explained & { readonly step: string; readonly deadlineMs: number }
> {}

export type PostgresServerError =
  | PostgresBinariesMissing
  | PostgresUserUnusable
  | ClusterUnusable
  | ClusterInitFailed
  | OldServerStillRunning
  | PostgresStartFailed
  | PostgresStartTimedOut

/** Errors that no amount of waiting repairs: the service should end with the status of a failed start-up step. */
export const isHopeless = (error: PostgresServerError): boolean =>
  error._tag === "PostgresBinariesMissing" ||
  error._tag === "PostgresUserUnusable" ||
  error._tag === "ClusterUnusable"

export interface PostgresServerService {
  /** Starts the server and keeps it until the scope closes. The caller holds the lock on DATA_DIR. */
  readonly start: Effect.Effect<RunningServer, PostgresServerError, Scope.Scope>
  /** Where the server is or will be; known without I/O. */
  readonly target: DatabaseTarget
  /** The postmaster that runs now and is ours; null when there is none. */
  readonly pid: () => number | null
  /** Name of the steps in the order they run, for start-up progress. */
  readonly kind: "embedded" | "external"
}

export class PostgresServer extends Context.Service<PostgresServer, PostgresServerService>()(
  "holdfast/layers/PostgresServer"
) {}
