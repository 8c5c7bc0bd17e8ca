import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SEGMENT_HEADER } from "../../../src/layers/intake/spool.format.ts"
import { makeSpoolFiles, recordOf } from "../../../src/layers/intake/spool.files.ts"
import type { SpoolFinding } from "../../../src/layers/intake/spool.port.ts"
import { makeMemoryDisk } from "../../support/spool-disk.memory.ts"
import { spoolRow } from "../../support/spool-world.ts"

const first = "000000000001.spool"
const record = (n: number) => recordOf(spoolRow(n), n)
const nothing = () => undefined

describe("the files of the spool", () => {
  it.live("are written while the drain waits for a slow read: a sender has its answer in time", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      const isReading = yield* Deferred.make<void>()
      const read = () => Effect.andThen(Deferred.succeed(isReading, undefined), Effect.never)
      const files = makeSpoolFiles({ ...disk, read }, () => Effect.void)
      yield* files.open(nothing)
      yield* files.write([record(1)], 0)
      const drain = yield* Effect.forkChild(files.next)
      yield* Deferred.await(isReading)
      yield* Effect.timeout(files.write([record(2)], 1), "2 seconds")
      // Into a file of its own: the one that is read is written no more.
      assert.deepStrictEqual([...disk.files.keys()], [first, "000000000002.spool"])
      yield* Fiber.interrupt(drain)
    })
  )

  it.live("say at once that a write failed, whatever the disk does about what is left of it", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      const hung = { cut: () => Effect.never, remove: () => Effect.never }
      const files = makeSpoolFiles({ ...disk, ...hung }, () => Effect.void)
      yield* files.open(nothing)
      yield* files.write([record(1)], 0)
      disk.fail(["write"])
      const write = Effect.timeout(Effect.flip(files.write([record(2)], 1)), "2 seconds")
      assert.strictEqual((yield* write)._tag, "DiskFault")
      assert.strictEqual((yield* write)._tag, "DiskFault", "into a new file as well")
      disk.fail()
      yield* files.write([record(3)], 2)
      const bodies = (yield* files.next).map(({ row }) => row.id)
      assert.deepStrictEqual(bodies, ["id-1"], "never into the file of a failed write")
    })
  )

  it.live("are not put aside at a start for a disk that is slow once: a file is read three times", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      disk.files.set(first, Buffer.concat([SEGMENT_HEADER, record(1)]))
      let failures = 2
      const read = (name: string) => {
        failures -= 1
        return failures < 0 ? disk.read(name) : disk.spoil("read", name)
      }
      const found: Array<SpoolFinding> = []
      const files = makeSpoolFiles({ ...disk, read: (name) => Effect.suspend(() => read(name)) }, (finding) =>
        Effect.sync(() => void found.push(finding))
      )
      const seen: Array<string> = []
      yield* files.open(({ row }) => void seen.push(row.id))
      assert.deepStrictEqual([seen, found, [...disk.files.keys()]], [["id-1"], [], [first]])
      failures = 3
      yield* files.open(nothing)
      assert.deepStrictEqual(
        [found.length, files.posts(), [...disk.files.keys()]],
        [1, 0, [`${first}.damaged`]]
      )
    })
  )

  it.live("are forgotten only when they are out of the way, and reported in any case, once", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      const found: Array<SpoolFinding> = []
      const files = makeSpoolFiles(disk, (finding) => Effect.sync(() => void found.push(finding)))
      yield* files.open(nothing)
      yield* files.write([record(1)], 0)
      disk.fail(["read", "rename"])
      for (let n = 0; n < 7; n += 1) assert.isTrue(yield* Effect.isFailure(files.next))
      assert.deepStrictEqual(
        found.map(({ file, what }) => [file, what]),
        [[first, "unreadable"]]
      )
      assert.deepStrictEqual([files.posts(), files.totals().segments], [1, 1])
      disk.fail()
      assert.lengthOf(yield* files.next, 1)
    })
  )

  it.live("never get the number of one that is kept beside them", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      disk.files.set("000000000007.spool.damaged", Buffer.from("for a person"))
      const files = makeSpoolFiles(disk, () => Effect.void)
      yield* files.open(nothing)
      yield* files.write([record(1)], 0)
      assert.deepStrictEqual([...disk.files.keys()], ["000000000007.spool.damaged", "000000000008.spool"])
    })
  )

  it.live("of a write that failed while the drain waited for it take no other segment with them", () =>
    Effect.gen(function* () {
      const disk = makeMemoryDisk()
      const failing = yield* Deferred.make<void>()
      let creates = 0
      const create = (name: string, bytes: Buffer) =>
        Effect.suspend(() => {
          creates += 1
          return creates === 1
            ? Effect.andThen(Deferred.await(failing), disk.spoil("write", name))
            : disk.create(name, bytes)
        })
      const files = makeSpoolFiles({ ...disk, create }, () => Effect.void)
      yield* files.open(nothing)
      const lost = yield* Effect.forkChild(Effect.flip(files.write([record(1)], 0)), {
        startImmediately: true
      })
      const drain = yield* Effect.forkChild(files.next, { startImmediately: true })
      const kept = yield* Effect.forkChild(files.write([record(2)], 1), { startImmediately: true })
      yield* Deferred.succeed(failing, undefined)
      yield* Fiber.join(lost)
      yield* Fiber.join(kept)
      yield* Fiber.join(drain)
      const next = yield* files.next
      assert.deepStrictEqual(
        next.map(({ row }) => row.id),
        ["id-2"]
      )
      yield* files.drained
      assert.deepStrictEqual([files.posts(), files.totals().segments], [0, 0])
    })
  )
})
