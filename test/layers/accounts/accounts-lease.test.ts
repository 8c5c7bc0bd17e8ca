import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { nodeLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { AccountLeases, makeLeaseGuard } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { instantOf, makeLeaseDeadline } from "../../../src/layers/platform/lease-deadline.ts"

const grant = { account: "paper-1", owner: "node-a", fence: 1n }
const terms = { leaseMs: nodeLimits.leaseMs, marginMs: nodeLimits.leaseMarginMs }
const usableMs = terms.leaseMs - terms.marginMs

const guardAt = Effect.map(Clock.Clock, (clock) => {
  const deadline = makeLeaseDeadline(clock, terms, instantOf(clock))
  return { clock, deadline, guard: makeLeaseGuard(grant, deadline) }
})

describe("a lease guard", () => {
  it.effect(
    "allows writes until the margin before the end of the lease, and not one millisecond longer",
    () =>
      Effect.gen(function* () {
        const { guard } = yield* guardAt
        yield* TestClock.adjust(usableMs - 1)
        assert.isTrue(guard.mayWrite())
        yield* TestClock.adjust(1)
        assert.isFalse(guard.mayWrite())
      })
  )

  it.effect("counts from before the query was sent, however late its answer comes", () =>
    Effect.gen(function* () {
      const { clock } = yield* guardAt
      const sent = instantOf(clock)
      yield* TestClock.adjust(1_500)
      const guard = makeLeaseGuard(grant, makeLeaseDeadline(clock, terms, sent))
      assert.strictEqual(guard.remainingMs(), usableMs - 1_500)
    })
  )

  it.effect("is extended by a renewal from when that was sent, never shortened by an older one", () =>
    Effect.gen(function* () {
      const { clock, deadline, guard } = yield* guardAt
      const old = instantOf(clock)
      yield* TestClock.adjust(5_000)
      deadline.extend(instantOf(clock))
      deadline.extend(old)
      assert.strictEqual(guard.remainingMs(), usableMs)
    })
  )

  it.effect("a lease that was given up is not brought back by a late renewal", () =>
    Effect.gen(function* () {
      const { clock, deadline, guard } = yield* guardAt
      deadline.giveUp()
      yield* TestClock.adjust(1)
      deadline.extend(instantOf(clock))
      assert.isFalse(guard.mayWrite())
    })
  )

  const clockOf = (monotonicMs: () => number, wallMs: () => number): Clock.Clock => ({
    currentTimeMillisUnsafe: wallMs,
    currentTimeMillis: Effect.sync(wallMs),
    currentTimeNanosUnsafe: () => BigInt(wallMs()) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(wallMs()) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(monotonicMs()) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(monotonicMs()) * 1_000_000n),
    sleep: () => Effect.void
  })

  it("a wall clock that is set back prolongs nothing: the monotonic one decides", () => {
    let [monotonic, wall] = [0, 1_000_000]
    const clock = clockOf(
      () => monotonic,
      () => wall
    )
    const guard = makeLeaseGuard(grant, makeLeaseDeadline(clock, terms, instantOf(clock)))
    ;[monotonic, wall] = [usableMs, 0]
    assert.isFalse(guard.mayWrite())
  })

  it("a machine that was suspended, whose monotonic clock stood still, may not write: the wall clock decides", () => {
    let wall = 1_000_000
    const clock = clockOf(
      () => 0,
      () => wall
    )
    const guard = makeLeaseGuard(grant, makeLeaseDeadline(clock, terms, instantOf(clock)))
    wall += usableMs
    assert.isFalse(guard.mayWrite())
  })
})

describe("the leases of this process", () => {
  it.effect("a newer lease of an account ends the one before it, and dropping an old one keeps the new", () =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const { deadline, guard: first } = yield* guardAt
      leases.hold(first)
      const second = makeLeaseGuard({ ...grant, fence: 2n }, deadline)
      leases.hold(second)
      assert.isFalse(first.mayWrite())
      leases.drop(first)
      assert.strictEqual(leases.current("paper-1"), second)
      leases.drop(second)
      assert.isNull(leases.current("paper-1"))
      assert.isFalse(second.mayWrite())
    }).pipe(Effect.provide(AccountLeases.layer))
  )

  it.effect("count and list every account that is held, and none that was dropped", () =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const { deadline, guard: first } = yield* guardAt
      const second = makeLeaseGuard({ ...grant, account: "paper-2" }, deadline)
      leases.hold(first)
      leases.hold(second)
      assert.deepStrictEqual([leases.size(), leases.all()], [2, [first, second]])
      leases.drop(first)
      assert.deepStrictEqual([leases.size(), leases.all()], [1, [second]])
      assert.isTrue(second.mayWrite(), "the other account keeps its lease")
    }).pipe(Effect.provide(AccountLeases.layer))
  )

  it.effect("notify the watcher of an account that is lost, and nobody when it is dropped", () =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const { deadline, guard } = yield* guardAt
      const lost: Array<string> = []
      leases.watch("paper-1", () => lost.push("paper-1"))
      leases.watch("paper-2", () => lost.push("paper-2"))
      leases.hold(guard)
      leases.drop(guard)
      assert.deepStrictEqual(lost, [])
      const again = makeLeaseGuard({ ...grant, fence: 2n }, deadline)
      leases.hold(again)
      leases.lose(again)
      assert.deepStrictEqual(lost, ["paper-1"])
      assert.isFalse(again.mayWrite())
      assert.isNull(leases.current("paper-1"))
      assert.doesNotThrow(() => leases.lose(makeLeaseGuard({ ...grant, account: "unwatched" }, deadline)))
    }).pipe(Effect.provide(AccountLeases.layer))
  )

  it.effect("forget a watcher or a place in line that ends, and not the one that replaced it", () =>
    Effect.gen(function* () {
      const leases = yield* AccountLeases
      const { guard } = yield* guardAt
      const lost: Array<string> = []
      const endFirst = leases.watch("paper-1", () => lost.push("first"))
      const endSecond = leases.watch("paper-1", () => lost.push("second"))
      endFirst()
      leases.lose(guard)
      assert.deepStrictEqual(lost, ["second"])
      endSecond()
      leases.lose(guard)
      assert.deepStrictEqual(lost, ["second"])

      const free = (): void => undefined
      const leave = leases.want("paper-1", free)
      assert.deepStrictEqual([...leases.wanted()], [["paper-1", free]])
      leave()
      assert.strictEqual(leases.wanted().size, 0)
    }).pipe(Effect.provide(AccountLeases.layer))
  )
})
