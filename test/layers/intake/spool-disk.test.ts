/** The spool's directory on a real file system, and everything that may be wrong with it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fs from "node:fs"
import * as path from "node:path"
import { spoolDiskAt } from "../../../src/layers/intake/spool-disk.node.ts"
import type { DiskFault } from "../../../src/layers/intake/spool-disk.port.ts"
import { temporaryDirectory } from "../../integration/postgres-world.ts"
import { reasonNoSmallDisk, SmallDisk } from "../../outside/small-disk.ts"

const directory = Effect.map(temporaryDirectory("holdfast spool"), (parent) =>
  path.join(parent, "data", "spool")
)

const failure = <A>(effect: Effect.Effect<A, DiskFault>): Effect.Effect<DiskFault> =>
  Effect.flip(effect).pipe(Effect.catch(() => Effect.die("it was done")))

describe("the directory of the spool", () => {
  it.live("is made where it is missing, keeps what it is given in order, and is for its user only", () =>
    Effect.gen(function* () {
      const place = yield* directory
      const disk = spoolDiskAt(place)
      assert.deepStrictEqual(yield* disk.list, [])
      yield* disk.create("one", Buffer.from("a"))
      yield* disk.append("one", Buffer.from("bc"))
      yield* disk.append("one", Buffer.from("d"))
      assert.strictEqual(String(yield* disk.read("one")), "abcd")
      yield* disk.cut("one", 2)
      assert.strictEqual(String(yield* disk.read("one")), "ab")
      yield* disk.rename("one", "two")
      yield* disk.probe
      fs.mkdirSync(path.join(place, "folder"))
      assert.deepStrictEqual(yield* disk.list, ["two"])
      assert.strictEqual(fs.statSync(place).mode & 0o777, 0o700)
      assert.strictEqual(fs.statSync(path.join(place, "two")).mode & 0o777, 0o600)
      yield* disk.remove("two")
      yield* disk.remove("two")
      assert.deepStrictEqual(yield* disk.list, [])
    })
  )

  it.live("never overwrites a file, and never follows a link out of itself", () =>
    Effect.gen(function* () {
      const place = yield* directory
      const disk = spoolDiskAt(place)
      yield* disk.list
      yield* disk.create("one", Buffer.from("a"))
      assert.deepInclude(yield* failure(disk.create("one", Buffer.from("b"))), {
        code: "EEXIST",
        full: false
      })
      const outside = path.join(path.dirname(place), "outside")
      fs.writeFileSync(outside, "theirs")
      fs.symlinkSync(outside, path.join(place, "link"))
      assert.strictEqual((yield* failure(disk.append("link", Buffer.from("x")))).code, "ELOOP")
      assert.strictEqual((yield* failure(disk.read("link"))).code, "ELOOP")
      assert.deepStrictEqual(yield* disk.list, ["one"])
      assert.strictEqual(fs.readFileSync(outside, "utf8"), "theirs")
    })
  )

  it.live("that is a file, or below one, is a fault with its name, and none when it is put right", () =>
    Effect.gen(function* () {
      const place = yield* directory
      const disk = spoolDiskAt(place)
      fs.mkdirSync(path.dirname(place))
      fs.writeFileSync(place, "")
      for (const attempt of [disk.list, disk.probe, disk.create("one", Buffer.from("a"))]) {
        const fault = yield* failure<unknown>(attempt)
        assert.include(["EEXIST", "ENOTDIR"], fault.code)
        assert.isFalse(fault.full)
        assert.include(fault.message, place)
      }
      fs.rmSync(place)
      assert.deepStrictEqual(yield* disk.list, [])
      yield* disk.probe
    })
  )

  it.live.skipIf(process.getuid?.() === 0)("that may not be written is a fault, and none when it may", () =>
    Effect.gen(function* () {
      const place = yield* directory
      const disk = spoolDiskAt(place)
      yield* disk.list
      fs.chmodSync(place, 0o500)
      assert.deepInclude(yield* failure(disk.create("one", Buffer.from("a"))), {
        code: "EACCES",
        full: false
      })
      assert.strictEqual((yield* failure(disk.probe)).code, "EACCES")
      fs.chmodSync(place, 0o700)
      yield* disk.probe
    })
  )

  const reason = reasonNoSmallDisk()
  it.live.skipIf(reason !== null)(
    `on a disk that is full: said as such, what was there stays whole, and it goes on when there is room${reason === null ? "" : ` [skipped: ${reason}]`}`,
    () =>
      Effect.gen(function* () {
        const parent = yield* temporaryDirectory("holdfast small disk")
        const place = path.join(parent, "data")
        const small = yield* Effect.acquireRelease(
          Effect.sync(() => new SmallDisk(place, 8)),
          (one) => Effect.promise(() => one.remove())
        )
        const disk = spoolDiskAt(path.join(place, "spool"))
        yield* disk.list
        yield* disk.create("one", Buffer.from("whole"))
        small.fill()
        const large = Buffer.alloc(256 * 1_024, "x")
        assert.deepInclude(yield* failure(disk.append("one", large)), { code: "ENOSPC", full: true })
        assert.isTrue((yield* failure(disk.create("two", large))).full)
        assert.isTrue((yield* failure(disk.probe)).full)
        yield* disk.cut("one", 5)
        assert.strictEqual(String(yield* disk.read("one")), "whole")
        small.free()
        yield* disk.append("one", large)
        yield* disk.probe
      })
  )
})
