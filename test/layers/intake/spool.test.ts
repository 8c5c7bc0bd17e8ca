/** What the spool keeps, whatever happens to its process and its disk. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { spoolLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { live, makeGround, type SpoolGround, type SpoolLife, spoolRow } from "../../support/spool-world.ts"
import { randomFrom } from "../../outside/random.ts"

const stored = ({ database }: SpoolGround) => database.rows().map(({ id }) => id)
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index)

/** Posts that come together, and the ids of those that were answered 202, in their order. */
const postAll = ({ post }: SpoolLife, ids: ReadonlyArray<number>, acked: Array<string>) =>
  Effect.forEach(
    ids,
    (n) =>
      Effect.map(post(spoolRow(n)), (result) => {
        if (result !== false && result._tag === "Spooled") acked.push(`id-${n}`)
      }),
    { concurrency: "unbounded", discard: true }
  )

/** Every one of them, once, and in their order. */
const assertKept = (ground: SpoolGround, acked: ReadonlyArray<string>, why: string) => {
  const rows = stored(ground)
  assert.strictEqual(new Set(rows).size, rows.length, why)
  assert.deepStrictEqual(
    rows.filter((id) => acked.includes(id)),
    acked,
    why
  )
}

describe("the spool", () => {
  it.live(
    "answers posts that came together after one write, and drains them in their order into an empty directory",
    () =>
      Effect.gen(function* () {
        const ground = makeGround()
        const acked: Array<string> = []
        yield* live(ground, (life) =>
          Effect.gen(function* () {
            const before = ground.disk.operations()
            yield* postAll(life, numbers(50), acked)
            assert.isAtMost(ground.disk.operations() - before, 2)
            assert.lengthOf(acked, 50)
            assert.deepInclude(life.spool.look(), { posts: 50, spooled: 50, segments: 1, fault: null })
            assert.isTrue(life.spool.takesAll())
            assert.isFalse(life.spool.isEmpty())
            yield* life.drain
            assert.deepInclude(life.spool.look(), { posts: 0, bytes: 0, segments: 0, drained: 50 })
            assert.isTrue(life.spool.isEmpty())
          })
        )
        assertKept(ground, acked, "drained")
        assert.deepStrictEqual([...ground.disk.files.keys()], [])
      })
  )

  it.live("answers an identity it holds by what it holds: 200 for the same content, 409 for other", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(ground, ({ post }) =>
        Effect.gen(function* () {
          const together = yield* Effect.all(
            [post(spoolRow(1)), post(spoolRow(1)), post(spoolRow(1, { bodyHash: "other" }))],
            {
              concurrency: "unbounded"
            }
          )
          assert.deepStrictEqual(
            together.map((result) => result !== false && result._tag),
            ["Spooled", "Duplicate", "Conflict"]
          )
          const again = yield* post(spoolRow(1, { requestId: "later" }))
          assert.deepStrictEqual(again, { _tag: "Duplicate", answer: spoolRow(1).answer, tooOld: false })
          assert.deepStrictEqual(yield* post(spoolRow(1, { bodyHash: "other" })), {
            _tag: "Conflict",
            signalId: "id-1"
          })
        })
      )
      // And so does the next life.
      yield* live(ground, ({ post }) =>
        Effect.map(post(spoolRow(1)), (result) =>
          assert.strictEqual(result !== false && result._tag, "Duplicate")
        )
      )
    })
  )

  it.live("never takes the canary, or more posts and bytes than it may", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(
        ground,
        ({ post, spool }) =>
          Effect.gen(function* () {
            assert.isFalse(yield* post(spoolRow(1, { source: "canary" })))
            for (const n of numbers(3)) yield* post(spoolRow(n))
            assert.isFalse(yield* post(spoolRow(9)))
            assert.deepInclude(spool.look().fault, { kind: "full", message: "it holds 3 of 3 posts" })
            assert.deepInclude(yield* post(spoolRow(2)), { _tag: "Duplicate" })
          }),
        { spool: { postsMax: 3, bytesMax: 1_048_576 } }
      )
      yield* live(
        makeGround(),
        ({ post, spool }) =>
          Effect.gen(function* () {
            let n = 0
            while ((yield* post(spoolRow(n, { body: JSON.stringify("x".repeat(200_000)) }))) !== false) n += 1
            assert.strictEqual(n, 5)
            assert.isAtMost(spool.look().bytes, 1_048_576)
          }),
        { spool: { postsMax: 100, bytesMax: 1_048_576 } }
      )
    })
  )

  it.live("closes a segment when it is large, and removes each as soon as it is drained", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      const acked: Array<string> = []
      const body = JSON.stringify("x".repeat(100_000))
      yield* live(
        ground,
        (life) =>
          Effect.gen(function* () {
            for (const n of numbers(30)) {
              yield* life.post(spoolRow(n, { body }))
              acked.push(`id-${n}`)
            }
            const { segments } = life.spool.look()
            assert.strictEqual(segments, Math.ceil((30 * 100_000) / spoolLimits.segmentBytesMax))
            assert.strictEqual(ground.disk.files.size, segments)
            let left = 30
            while (life.spool.look().segments === segments) {
              left -= (yield* life.spool.next).length
              yield* life.spool.drained
            }
            assert.strictEqual(ground.disk.files.size, segments - 1)
            assert.strictEqual(life.spool.look().posts, left)
          }),
        { spool: { postsMax: 100, bytesMax: 64 * 1_048_576 } }
      )
      assert.lengthOf(acked, 30)
    })
  )
})

describe("a disk that does not", () => {
  for (const [code, kind] of [
    ["ENOSPC", "full"],
    ["EIO", "failed"]
  ] as const)
    it.live(
      `write [${code}]: the posts are refused at once, those before are kept, and it goes on when the disk does`,
      () =>
        Effect.gen(function* () {
          const ground = makeGround()
          const acked: Array<string> = []
          yield* live(ground, (life) =>
            Effect.gen(function* () {
              yield* postAll(life, numbers(3), acked)
              ground.disk.fail(["write", "cut"], code)
              assert.deepStrictEqual(yield* life.post(spoolRow(3)), { _tag: "Unavailable" })
              assert.strictEqual(life.spool.look().fault?.kind, kind)
              assert.isFalse(yield* life.post(spoolRow(4)), "not even tried")
              yield* life.spool.prove
              assert.strictEqual(life.spool.look().fault?.kind, kind)
              ground.disk.fail()
              yield* life.spool.prove
              assert.isNull(life.spool.look().fault)
              yield* postAll(life, [3, 5, 6], acked)
              yield* life.drain
            })
          )
          // What was half written when it failed is no post, and costs none.
          assertKept(ground, acked, code)
          assert.lengthOf(acked, 6)
        })
    )

  it.live(
    "list its files: nothing is known of what is there, the database is used directly, and it is read later",
    () =>
      Effect.gen(function* () {
        const ground = makeGround()
        yield* live(ground, ({ post }) => post(spoolRow(1)))
        yield* live(ground, ({ spool }) =>
          Effect.gen(function* () {
            ground.disk.fail(["list"], "EACCES")
            // As the component does at the start of its next incarnation.
            yield* Effect.ignore(spool.open)
            assert.deepInclude(spool.look().fault, { kind: "failed", message: "list /spool: EACCES" })
            ground.disk.fail()
            yield* spool.prove
            assert.strictEqual(spool.look().posts, 1)
          })
        )
      })
  )

  it.live("read a file: after three times it is put aside with an alert, and the rest is drained", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(ground, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          yield* post(spoolRow(1))
          ground.disk.fail(["read"], "EIO")
          for (const _ of numbers(3)) assert.isTrue(yield* Effect.isFailure(spool.next))
          ground.disk.fail()
          yield* post(spoolRow(2))
          yield* drain
        })
      )
      assert.deepStrictEqual(stored(ground), ["id-2"])
      assert.deepStrictEqual([...ground.disk.files.keys()], ["000000000001.spool.damaged"])
      assert.deepStrictEqual(
        ground.alerts.map(({ kind, severity }) => [kind, severity]),
        [["spool.damaged", "HIGH"]]
      )
    })
  )

  it.live(
    "keep what it was given: what is whole is drained, and the file is kept beside the others with an alert",
    () =>
      Effect.gen(function* () {
        const ground = makeGround()
        yield* live(ground, ({ post }) =>
          Effect.forEach(numbers(3), (n) => post(spoolRow(n)), { discard: true })
        )
        const [[name, bytes] = ["", Buffer.alloc(0)]] = [...ground.disk.files]
        bytes[Math.floor(bytes.length / 2)]! ^= 1
        yield* live(ground, ({ drain }) => drain)
        assert.deepStrictEqual(stored(ground), ["id-0", "id-2"])
        assert.deepStrictEqual([...ground.disk.files.keys()], [`${name}.damaged`])
        assert.deepStrictEqual(
          ground.alerts.map(({ kind }) => kind),
          ["spool.damaged"]
        )
      })
  )
})

describe("draining", () => {
  it.live(
    "stores what was stored meanwhile once, and keeps other content under a known identity as refused, with its alert",
    () =>
      Effect.gen(function* () {
        const ground = makeGround()
        yield* ground.database.store([spoolRow(1), spoolRow(2, { bodyHash: "first" })])
        for (const _ of [1, 2])
          yield* live(ground, ({ drain, post }) =>
            Effect.gen(function* () {
              for (const n of [1, 2, 3]) assert.deepStrictEqual(yield* post(spoolRow(n)), { _tag: "Spooled" })
              yield* drain
            })
          )
        assert.deepStrictEqual(stored(ground), ["id-1", "id-2", "id-3"])
        const refused = [...ground.refused.values()]
        assert.lengthOf(refused, 1, "one row, however often it is drained")
        assert.deepStrictEqual(ground.refusedHow, ["durable", "durable"], "before its file is removed")
        assert.deepInclude(refused[0], {
          reason: "conflict",
          answered: 202,
          signalId: "id-2",
          webhookId: "2"
        })
        assert.include(
          ground.alerts.map(({ kind, severity }) => `${severity} ${kind}`),
          "HIGH signal.conflict"
        )
      })
  )

  it.live("stores a signal that has become too old as such, with its alert; metadata has no age", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      const long = Date.now() - 3_600_000
      yield* live(ground, ({ drain, post }) =>
        Effect.gen(function* () {
          yield* post(spoolRow(1, { expiresFromMs: long }))
          yield* post(spoolRow(2, { expiresFromMs: Date.now() }))
          yield* post(spoolRow(3, { expiresFromMs: long, kind: "metadata" }))
          yield* drain
        })
      )
      assert.deepStrictEqual(
        ground.database.rows().map(({ reason, status }) => [status, reason]),
        [
          ["rejected", "too_old"],
          ["received", null],
          ["received", null]
        ]
      )
      assert.match(
        ground.alerts.find(({ kind }) => kind === "signal.too_old")?.message ?? "",
        /when the database was back/
      )
    })
  )

  it.live("leaves everything where it is when the database goes away again, and is told so", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      ground.database.setAvailable(false)
      yield* live(ground, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          yield* post(spoolRow(1))
          assert.isTrue(yield* Effect.isFailure(drain))
          assert.isTrue(spool.takesAll())
          ground.database.setAvailable(true)
          yield* drain
          assert.isTrue(spool.isEmpty())
        })
      )
      assert.deepStrictEqual(stored(ground), ["id-1"])
    })
  )

  it.live("ends although posts keep coming: the last ones wait for the database instead", () =>
    Effect.gen(function* () {
      const ground = makeGround()
      yield* live(ground, ({ drain, post, spool }) =>
        Effect.gen(function* () {
          for (const n of numbers(20)) yield* post(spoolRow(n))
          // Whoever comes asks first, as the intake does.
          let n = 100
          const senders = yield* Effect.forkChild(
            Effect.forever(
              Effect.suspend(() => {
                n += 1
                return Effect.andThen(spool.takesAll() ? post(spoolRow(n)) : Effect.void, Effect.yieldNow)
              })
            )
          )
          yield* drain
          yield* Fiber.interrupt(senders)
        })
      )
      assert.includeMembers(
        stored(ground),
        numbers(20).map((n) => `id-${n}`)
      )
    })
  )
})

describe("a process that dies", () => {
  /** Two outages of a few posts each, with a drain after each; what it was told is in `acked`. */
  const scenario = (acked: Array<string>, from: number) => (life: SpoolLife) =>
    Effect.gen(function* () {
      yield* postAll(life, numbers(4, from), acked)
      yield* postAll(life, numbers(3, from + 10), acked)
      yield* life.drain
      yield* postAll(life, numbers(3, from + 20), acked)
      yield* life.drain
    })

  it.live(
    "at any operation of its disk or its database, before, after or in the middle of it: nothing acknowledged is lost, doubled or overtaken",
    () =>
      Effect.gen(function* () {
        const trial = makeGround()
        yield* live(trial, scenario([], 0))
        const operations = trial.disk.operations()
        assert.isAbove(operations, 10)
        for (let at = 1; at <= operations; at += 1)
          for (const part of [0, 0.3, 0.6, 1]) {
            const ground = makeGround()
            const acked: Array<string> = []
            ground.disk.crashAt(at, part)
            assert.isFalse(yield* live(ground, scenario(acked, 0)), `crash at ${at}`)
            ground.disk.crashAt(Number.POSITIVE_INFINITY)
            yield* live(ground, scenario(acked, 100))
            assertKept(ground, acked, `crash at ${at}, ${part} of it done`)
            assert.isEmpty(
              ground.alerts.filter(({ kind }) => kind === "spool.damaged"),
              "a kill leaves a torn end and no damage"
            )
          }
      })
  )

  for (const seed of numbers(20, 1))
    it.live(`again and again, at random moments [seed ${seed}]`, () =>
      Effect.gen(function* () {
        const random = randomFrom(seed)
        const ground = makeGround()
        const acked: Array<string> = []
        for (const round of numbers(8)) {
          ground.disk.crashAt(1 + Math.floor(random.next() * 25), random.next())
          yield* live(ground, scenario(acked, round * 100))
        }
        ground.disk.crashAt(Number.POSITIVE_INFINITY)
        yield* live(ground, ({ drain }) => drain)
        assertKept(ground, acked, `seed ${seed}`)
        assert.isEmpty([...ground.disk.files.keys()])
      })
    )
})
