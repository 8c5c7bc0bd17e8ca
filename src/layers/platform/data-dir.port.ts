/**
 * Data directory: the port to DATA_DIR, which one process at a time may hold.
 *
 * Two services on one directory would run two executors for one account on one database. So the directory is locked
 * before anything in it is touched, for as long as the process lives, and the lock dies with the process.
 *
 * Promises: while `hold`'s scope is open no other process holds the directory, whatever kills whom; `nodeId` is the same
 * for every process that ever holds it, `bootId` for none.
 * Never: waits for the lock; takes over from a living process.
 */
import { Context, Data, type Effect, type Scope } from "effect"

/** Another process holds DATA_DIR; `pid` is what it wrote about itself, undefined when unreadable. */
export class DataDirLocked extends Data.TaggedError("DataDirLocked")<{
  readonly path: string
  readonly pid: number | undefined
  readonly hint: string
}> {}

/** DATA_DIR cannot be created, written or locked. */
export class DataDirUnusable extends Data.TaggedError("DataDirUnusable")<{
  readonly path: string
  readonly cause: unknown
  readonly hint: string
}> {}

export interface HeldDataDir {
  readonly path: string
  /** UUID kept in the directory. */
  readonly nodeId: string
  /** UUID of this life. */
  readonly bootId: string
  /** The mode of its data, null when it was never used or is not recorded. */
  readonly mode: string | null
}

export interface DataDirService {
  readonly path: string
  /** Creates the directory when missing, locks it until the scope closes. */
  readonly hold: Effect.Effect<HeldDataDir, DataDirLocked | DataDirUnusable, Scope.Scope>
  /** Records the mode of its data for every later life. The caller holds the directory. */
  readonly rememberMode: (mode: string) => Effect.Effect<void, DataDirUnusable>
  /** Removes the record, when the data is gone. */
  readonly forgetMode: Effect.Effect<void, DataDirUnusable>
}

export class DataDir extends Context.Service<DataDir, DataDirService>()("holdfast/layers/DataDir") {}
