/**
 * SpoolDisk in memory: a disk that a test can fill, break, or stop in the middle of an operation, as a kill does.
 *
 * Promises: what a finished operation wrote survives `crash`; of the operation that was in progress any part may.
 * Never: used by the service.
 * Failure: `fail` makes the operations it names fail with a code; `crashAt` stops the n-th operation for good.
 */
import { Deferred, Effect } from "effect"
import { DiskFault, type SpoolDiskService } from "../../src/layers/intake/spool-disk.port.ts"

export interface MemoryDisk extends SpoolDiskService {
  readonly files: Map<string, Buffer>
  /** Operations since the last `crashAt`, those of others that count here included. */
  readonly operations: () => number
  /** The n-th operation from now on never ends; it does this part of what it was to do, from 0 to 1. */
  readonly crashAt: (operation: number, part?: number) => void
  /** Completes when that operation was reached. */
  readonly crashed: () => Deferred.Deferred<void>
  /** Another operation of the process, such as a commit: counts, and may be the one that never ends. */
  readonly step: <A, E, R>(before: boolean, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Operations by name fail with this code from now on; none when left out. */
  readonly fail: (operations?: ReadonlyArray<string>, code?: string) => void
  /** The failure of one operation, for a test that chooses which. */
  readonly spoil: (operation: string, file: string) => Effect.Effect<never, DiskFault>
}

export const makeMemoryDisk = (): MemoryDisk => {
  const files = new Map<string, Buffer>()
  let count = 0
  let stopAt = Number.POSITIVE_INFINITY
  let stopPart = 0
  let crashed = Deferred.makeUnsafe<void>()
  let failing: { readonly operations: ReadonlyArray<string>; readonly code: string } | null = null
  const stop = Effect.suspend(() => Effect.andThen(Deferred.succeed(crashed, undefined), Effect.never))
  /** `part` does a part of it; a whole one returns its result. */
  const operate = <A>(
    operation: string,
    file: string,
    part: (share: number) => A
  ): Effect.Effect<A, DiskFault> =>
    Effect.suspend(() => {
      count += 1
      if (count === stopAt) {
        part(stopPart)
        return stop
      }
      if (failing?.operations.includes(operation) === true) {
        // A disk that is full takes what fits.
        if (operation === "write") part(0.5)
        const { code } = failing
        return Effect.fail(new DiskFault({ operation, file, code, full: code === "ENOSPC" }))
      }
      return Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => part(1))
      )
    })
  const write = (name: string, bytes: Buffer, share: number): void => {
    const before = files.get(name) ?? Buffer.alloc(0)
    files.set(name, Buffer.concat([before, bytes.subarray(0, Math.floor(bytes.length * share))]))
  }
  return {
    directory: "/spool",
    files,
    operations: () => count,
    crashAt: (operation, part = 0) => {
      count = 0
      stopAt = operation
      stopPart = part
      crashed = Deferred.makeUnsafe()
    },
    crashed: () => crashed,
    step: (before, effect) =>
      Effect.suspend(() => {
        count += 1
        if (count !== stopAt) return effect
        return before ? stop : Effect.andThen(effect, stop)
      }),
    fail: (operations = [], code = "EIO") => {
      failing = { operations, code }
    },
    spoil: (operation, file) => Effect.fail(new DiskFault({ operation, file, code: "EIO", full: false })),
    list: operate("list", "/spool", () => [...files.keys()]),
    read: (name) =>
      Effect.suspend(() => {
        const bytes = files.get(name)
        return bytes === undefined
          ? Effect.fail(new DiskFault({ operation: "read", file: name, code: "ENOENT", full: false }))
          : operate("read", name, () => bytes)
      }),
    create: (name, bytes) => operate("write", name, (share) => write(name, bytes, share)),
    append: (name, bytes) => operate("write", name, (share) => write(name, bytes, share)),
    cut: (name, bytes) =>
      operate("cut", name, (share) => {
        const before = files.get(name)
        if (share === 1 && before !== undefined) files.set(name, before.subarray(0, bytes))
      }),
    remove: (name) =>
      operate("remove", name, (share) => {
        if (share >= 0.5) files.delete(name)
      }),
    rename: (name, to) =>
      operate("rename", name, (share) => {
        const bytes = files.get(name)
        if (share < 0.5 || bytes === undefined) return
        files.delete(name)
        files.set(to, bytes)
      }),
    probe: operate("write", "probe", () => undefined)
  }
}
