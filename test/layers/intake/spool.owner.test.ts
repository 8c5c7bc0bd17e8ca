/** Who owns the spool, and what becomes of posts while nobody does, while it is read again, and when its files change under it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { spoolLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { intakeLimits } from "../../../src/domain/kernel/limits-signals.ts"
import type { PostResult } from "../../../src/layers/intake/intake-queue.port.ts"
import { SEGMENT_HEADER } from "../../../src/layers/intake/spool.format.ts"
import { live, makeGround, type SpoolGround, spoolRow } from "../../support/spool-world.ts"

const stored = ({ database }: SpoolGround) => database.rows().map(({ id }) => id)
const first = "000000000001.spool"

describe("without a writer", () => {
  it.live(
    "nothing is taken, that is its fault, and a database that is well is used; what it holds waits",
    () =>
      Effect.gen(function* () {
        const ground = makeGround()
        yield* live(ground, ({ drain, pause, post, resume, spool }) =>
          Effect.gen(function* () {
            yield* post(spoolRow(1))
            yield* pause
            assert.isFalse(yield* post(spoolRow(2)))
            assert.isFalse(yield* post(spoolRow(1)), "not even what it holds: nobody would settle it")
            assert.deepStrictEqual(
              [spool.takes(), spool.takesAll(), spool.isEmpty(), spool.look().posts],
              [false, false, true, 1]
            )
            assert.deepStrictEqual(spool.look().fault, { kind: "failed", message: "nobody writes it" })
            yield* resume
            assert.deepStrictEqual(
              [spool.takes(), spool.takesAll(), spool.isEmpty(), spool.look().fault],
              [true, true, false, null]
            )
            assert.deepStrictEqual(yield* post(spoolRow(2)), { _tag: "Spooled" })
            yield* drain
          })
        )
        assert.deepStrictEqual(stored(ground), ["id-1", "id-2"])
      })
  )

  it.live("who waits for a write is told that there is none", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      const disk = { ...ground.disk, create: () => Effect.never }
      yield* live({ ...ground, disk }, ({ pause, post }) =>
        Effect.gen(function* () {
          const waiting = yield* Effect.forkChild(post(spoolRow(1)), { startImmediately: true })
          yield* Effect.yieldNow
          yield* pause
          assert.deepStrictEqual(yield* Fiber.join(waiting), { _tag: "Unavailable" })
        })
      )
    })
  )
})

describe("a spool that is read again in the same process", () => {
  it.live("keeps every post, drains them from the first on, and lets nothing overtake them meanwhile", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(ground, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          for (const n of [1, 2, 3]) yield* post(spoolRow(n))
          // A drain that was ended after it had stored a batch.
          yield* ground.database.store((yield* spool.next).map(({ row }) => row))
          const seen: Array<string> = []
          const end = spool.listen(() => {
            seen.push(`${spool.look().phase} ${spool.isEmpty()} ${spool.takesAll()}`)
          })
          yield* spool.open
          end()
          assert.deepStrictEqual(seen, ["opening false false", "open false true"])
          assert.deepInclude(yield* post(spoolRow(2)), { _tag: "Duplicate" })
          assert.strictEqual(spool.look().posts, 3)
          assert.lengthOf(yield* spool.next, 3)
          yield* drain
          assert.deepInclude(spool.look(), { posts: 0, segments: 0 })
        })
      )
      assert.deepStrictEqual(stored(ground), ["id-1", "id-2", "id-3"])
      assert.deepStrictEqual([...ground.disk.files.keys()], [])
      assert.notInclude(
        ground.alerts.map(({ kind }) => kind),
        "spool.damaged"
      )
    })
  )

  it.live("and cannot be is read until it can: no segment is forgotten", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(ground, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          for (const n of [1, 2, 3]) yield* post(spoolRow(n))
          ground.disk.fail(["read", "rename"])
          yield* Effect.ignore(spool.open)
          assert.deepInclude(spool.look(), { phase: "opening" })
          assert.strictEqual(spool.look().fault?.kind, "failed")
          assert.isTrue(spool.isEmpty(), "a database that is well is used meanwhile")
          assert.isFalse(yield* post(spoolRow(4)))
          ground.disk.fail()
          yield* spool.prove
          assert.deepInclude(spool.look(), { phase: "open", posts: 3, fault: null })
          yield* drain
        })
      )
      assert.deepStrictEqual(stored(ground), ["id-1", "id-2", "id-3"])
    })
  )

  it.live("is not waited for by anybody when its reading is ended", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      let hangs = false
      const list = Effect.suspend(() => (hangs ? Effect.never : ground.disk.list))
      yield* live({ ...ground, disk: { ...ground.disk, list } }, ({ spool }) =>
        Effect.gen(function* () {
          hangs = true
          const reading = yield* Effect.forkChild(spool.open, { startImmediately: true })
          assert.isFalse(spool.isEmpty())
          yield* Fiber.interrupt(reading)
          assert.strictEqual(spool.look().phase, "opening")
          assert.isTrue(spool.isEmpty())
        })
      )
    })
  )
})

describe("a segment that has lost its posts while the process ran", () => {
  it.live("is kept and reported, and is no post that waits", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(ground, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          for (const n of [1, 2, 3]) yield* post(spoolRow(n))
          ground.disk.files.set(first, SEGMENT_HEADER)
          let news = 0
          spool.listen(() => {
            news += 1
          })
          assert.deepStrictEqual(yield* spool.next, [])
          assert.isAbove(news, 0, "whoever waits for a change hears of it")
          assert.deepInclude(spool.look(), { posts: 0, sinceEmpty: 0, damaged: 1 })
          assert.isTrue(spool.isEmpty())
          assert.strictEqual(yield* drain, 0)
          // What nobody has is not held against whoever sends it again.
          assert.deepStrictEqual(yield* post(spoolRow(2)), { _tag: "Spooled" })
          assert.strictEqual(yield* drain, 1)
        })
      )
      assert.deepStrictEqual(stored(ground), ["id-2"])
      assert.deepStrictEqual([...ground.disk.files.keys()], [`${first}.damaged`])
      assert.deepStrictEqual(
        ground.alerts.map(({ kind, severity }) => [kind, severity]),
        [["spool.damaged", "HIGH"]]
      )
      assert.include(ground.alerts[0]?.message, "3 posts that were written and are not there")
    })
  )
})

describe("a sender whose post is spooled", () => {
  it.effect("has its answer while it listens, however slow the writes before its own are", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      // The first write takes almost all of its time, the second hangs.
      const disk = {
        ...ground.disk,
        create: (name: string, bytes: Buffer) =>
          Effect.andThen(Effect.sleep(spoolLimits.writeMsMax - 10), ground.disk.create(name, bytes)),
        append: () => Effect.never
      }
      yield* live({ ...ground, disk }, ({ spool }) =>
        Effect.gen(function* () {
          const results: Array<PostResult["_tag"]> = []
          const send = (n: number, waitedMs: number) =>
            assert.isTrue(spool.append(spoolRow(n), ({ _tag }) => results.push(_tag), waitedMs))
          send(1, 0)
          yield* TestClock.adjust(10)
          // It has waited for its commit before, and has less time than one that came at once.
          send(2, intakeLimits.commitMsMax)
          send(3, 0)
          yield* TestClock.adjust(spoolLimits.writeMsMax - 20)
          assert.deepStrictEqual(results, ["Spooled"])
          yield* TestClock.adjust(
            spoolLimits.answerMsMax - intakeLimits.commitMsMax - spoolLimits.writeMsMax + 19
          )
          assert.deepStrictEqual(results, ["Spooled"])
          yield* TestClock.adjust(1)
          assert.deepStrictEqual(results, ["Spooled", "Unavailable", "Unavailable"])
          assert.strictEqual(spool.look().fault?.kind, "failed")
        })
      )
      assert.isBelow(spoolLimits.answerMsMax, intakeLimits.senderPatienceMs)
    })
  )

  it.live("hears of a failed write before its file is cleaned up, which waits for the next proof", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      const done: Array<string> = []
      const disk = {
        ...ground.disk,
        cut: (name: string, bytes: number) =>
          Effect.andThen(
            Effect.sync(() => void done.push("cut")),
            ground.disk.cut(name, bytes)
          )
      }
      yield* live({ ...ground, disk }, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          yield* post(spoolRow(1))
          const whole = ground.disk.files.get(first)?.length
          ground.disk.fail(["write"])
          assert.deepStrictEqual(yield* post(spoolRow(2)), { _tag: "Unavailable" })
          assert.deepStrictEqual(done, [])
          assert.isAbove(ground.disk.files.get(first)?.length ?? 0, whole ?? 0)
          ground.disk.fail()
          yield* spool.prove
          assert.deepStrictEqual(done, ["cut"])
          assert.strictEqual(ground.disk.files.get(first)?.length, whole)
          assert.isNull(spool.look().fault)
          yield* spool.prove
          assert.deepStrictEqual(done, ["cut"], "once")
          yield* drain
        })
      )
      assert.deepStrictEqual(stored(ground), ["id-1"])
    })
  )
})
