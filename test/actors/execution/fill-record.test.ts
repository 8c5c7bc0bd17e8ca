import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { catchUpFills, recordFill } from "../../../src/actors/execution/fill-record.ts"
import { executionLimits } from "../../../src/domain/kernel/limits-execution.ts"
import { rungOf } from "../../support/bells.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { makeMemoryBroker } from "../../support/broker.memory.ts"
import type { VenueFill } from "../../../src/domain/orders/fill.ts"
import { FillsStore, type RecordedFill } from "../../../src/layers/orders/fills-store.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { settingsFrom } from "../../support/practice-settings.ts"
import { Protection } from "../../../src/layers/orders/protection.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"

const fillNumber = (n: number): VenueFill => ({
  tradeId: `t-${n}`,
  venueOrderId: "v",
  clientOrderId: null,
  account: "paper-1",
  symbol: "SPY",
  side: "buy",
  quantity: "1",
  price: "100",
  fee: "0",
  at: new Date(n),
  cursor: String(n)
})

/** A store in memory in which one record takes ten milliseconds, as on a busy machine. */
const makeStore = (known: ReadonlyArray<number>) => {
  const stored = new Set(known.map((n) => `t-${n}`))
  const recorded: Array<string> = []
  let cursor: string | null = null
  const layer = Layer.succeed(FillsStore, {
    adopt: () => Effect.die("not part of this test"),
    record: (_venue, fill) =>
      Effect.sync((): RecordedFill => {
        stored.add(fill.tradeId)
        recorded.push(fill.tradeId)
        return {
          _tag: "Recorded",
          tradeRecordId: fill.tradeId,
          positionId: "p",
          position: { quantity: "1", averagePrice: "1", realisedPnl: "0" },
          change: "increased",
          order: null,
          from: null,
          source: "external",
          linkedBy: "none",
          metadata: { _tag: "NoMetadata", why: "test" },
          illegal: null,
          surprise: null,
          settled: false
        }
      }).pipe(Effect.delay(10)),
    missing: (_venue, fills) => Effect.sync(() => fills.filter(({ tradeId }) => !stored.has(tradeId))),
    cursor: () => Effect.sync(() => cursor),
    advance: (_account, at) =>
      Effect.sync(() => {
        cursor = at
      })
  })
  return {
    recorded,
    cursor: () => cursor,
    layer: Layer.mergeAll(
      layer,
      Protection.layer,
      Layer.succeed(Config, settingsFrom()),
      alertsQueue.pipe(Layer.provideMerge(Wake.layer))
    )
  }
}

const broker = (count: number) => ({
  ...makeMemoryBroker().connection,
  fillsSince: (_account: string, cursor: string | null) =>
    Effect.sync(() =>
      Array.from({ length: count }, (_, at) => fillNumber(at + 1)).filter(
        (fill) => Number(fill.cursor) > Number(cursor ?? 0)
      )
    )
})

it.effect(
  "ten thousand fills that the stream stored already take no time, only the others are recorded",
  () =>
    Effect.gen(function* () {
      const known = Array.from({ length: 10_000 }, (_, at) => at + 1).filter((n) => n !== 4_711)
      const store = makeStore(known)
      const running = yield* Effect.forkChild(
        Effect.provide(catchUpFills("test", broker(10_000), "paper-1"), store.layer)
      )
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(running), 1)
      assert.deepStrictEqual(store.recorded, ["t-4711"])
      assert.strictEqual(store.cursor(), "10000")
    })
)

it.effect("a catch-up that is cut by its deadline goes on where it was", () =>
  Effect.gen(function* () {
    const many = 3 * executionLimits.catchUpFillsMax
    const store = makeStore([])
    const catchUp = Effect.provide(catchUpFills("test", broker(many), "paper-1"), store.layer)
    const first = yield* Effect.forkChild(catchUp.pipe(Effect.timeoutOption(10 * (many / 2))))
    yield* TestClock.adjust(10 * (many / 2))
    yield* Fiber.join(first)
    assert.strictEqual(store.cursor(), String(executionLimits.catchUpFillsMax))
    const second = yield* Effect.forkChild(catchUp)
    yield* TestClock.adjust(10 * many)
    yield* Fiber.join(second)
    assert.strictEqual(store.recorded.length, many, "each is recorded once")
    assert.strictEqual(store.cursor(), String(many))
  })
)

it.effect("a fill rings for exits and risk, and for the executor whose symbol may be free again", () => {
  const store = makeStore([])
  return Effect.gen(function* () {
    const running = yield* Effect.forkChild(recordFill("test", broker(1), fillNumber(1)))
    yield* TestClock.adjust(10)
    yield* Fiber.join(running)
    assert.deepStrictEqual(yield* rungOf(["positions", "orders:paper-1"]), ["positions", "orders:paper-1"])
  }).pipe(Effect.provide(store.layer))
})
