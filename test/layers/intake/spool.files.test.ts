import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { makeSpoolFiles, recordOf } from "../../../src/layers/intake/spool.files.ts"
import { makeMemoryDisk } from "../../support/spool-disk.memory.ts"
import { spoolRow } from "../../support/spool-world.ts"

describe("the files of the spool", () => {
  it.live("are written while the drain waits for a slow read: a sender has its answer in time", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      const isReading = yield* Deferred.make<void>()
      const read = () => Effect.andThen(Deferred.succeed(isReading, undefined), Effect.never)
      const files = makeSpoolFiles({ ...disk, read }, () => Effect.void)
      yield* files.open(() => undefined)
      yield* files.write([recordOf(spoolRow(1), 0)], 0)
      const drain = yield* Effect.forkChild(files.next)
      yield* Deferred.await(isReading)
      yield* Effect.timeout(files.write([recordOf(spoolRow(2), 1)], 1), "2 seconds")
      // Into a file of its own: the one that is read is written no more.
      assert.deepStrictEqual([...disk.files.keys()], ["000000000001.spool", "000000000002.spool"])
      yield* Fiber.interrupt(drain)
    })
  )
})
