/**
 * SpoolDisk: the port to the directory in which the spool keeps its segments.
 *
 * Everything that can go wrong with a disk goes wrong here, as one typed error, so that the spool above it is tested with
 * disks that are full, refuse, lie or stop in the middle of a write.
 *
 * Promises: `create` and `append` succeed only after the bytes, and for `create` the name, are on the disk (fsync); a name is a
 * plain file name; every call ends within its deadline.
 * Never: retries, or reads anything but plain files of its directory.
 */
import { Context, Data, type Effect } from "effect"

/** The disk did not do it. `full`: for lack of room; anything else needs an operator or another disk. */
export class DiskFault extends Data.TaggedError("DiskFault")<{
  readonly operation: string
  readonly file: string
  readonly code: string
  readonly full: boolean
}> {
  override get message(): string {
    return `${this.operation} ${this.file}: ${this.code}`
  }
}

export interface SpoolDiskService {
  /** Absolute path of the directory. */
  readonly directory: string
  /** Creates the directory when it is missing; the names of the files in it. */
  readonly list: Effect.Effect<ReadonlyArray<string>, DiskFault>
  readonly read: (name: string) => Effect.Effect<Buffer, DiskFault>
  /** A new file with these bytes; fails when there is one of that name. */
  readonly create: (name: string, bytes: Buffer) => Effect.Effect<void, DiskFault>
  readonly append: (name: string, bytes: Buffer) => Effect.Effect<void, DiskFault>
  /** Cuts the file to its first `bytes`. */
  readonly cut: (name: string, bytes: number) => Effect.Effect<void, DiskFault>
  readonly remove: (name: string) => Effect.Effect<void, DiskFault>
  readonly rename: (name: string, to: string) => Effect.Effect<void, DiskFault>
  /** Writes, flushes and removes a file, which proves that the disk takes something now. */
  readonly probe: Effect.Effect<void, DiskFault>
}

export class SpoolDisk extends Context.Service<SpoolDisk, SpoolDiskService>()("holdfast/layers/SpoolDisk") {}
