import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { nothingReported, reportUnusable } from "../../../src/actors/feeds/feed-unusable.ts"
import type { UnusableSignal } from "../../../src/domain/feeds/feed-wire.ts"
import { readWaveSignal } from "../../../src/wire/feed-frame.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"

const bad = (id: string | null, more: object = {}): UnusableSignal => {
  const wave = "2025-10-21T22:45:00Z"
  const read = readWaveSignal({ id, symbol: "BTC-USDT", action: "BUY", wave, price: "-1", ...more })
  return "errors" in read ? read : assert.fail("it is usable")
}

/** What is reported about a feed, in log lines and in alerts. */
const world = () => {
  const alerts: Array<Alert> = []
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const reported = nothingReported()
  const layers = Layer.mergeAll(
    Logger.layer([
      Logger.make<unknown, void>(({ fiber, logLevel, message }) => {
        lines.push({ ...fiber.getRef(References.CurrentLogAnnotations), logLevel, msg: String(message) })
      })
    ]),
    Layer.succeed(
      Alerts,
      Alerts.of({
        raise: (alert) => Effect.sync(() => void alerts.push(alert)),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        resolve: () => Effect.void,
        resolveAllBut: () => Effect.void,
        putBack: () => {},
        counts: () => ({ raised: 0, pending: 0, dropped: 0 })
      })
    )
  )
  const report = (...unusable: ReadonlyArray<UnusableSignal>) =>
    reportUnusable({ component: "root/feeds/feed:north", feed: "north", reported, total: 7 }, unusable).pipe(
      Effect.provide(layers)
    )
  return { alerts, lines, report, reported }
}

describe("signals of a feed that cannot be traded", () => {
  it.effect("are a line each, with the id and what is wrong, and one alert with an example", () =>
    Effect.gen(function* () {
      const { alerts, lines, report } = world()
      yield* report(bad("b1"), bad(null, { symbol: "{{x}}", action: "HOLD", wave: "soon", note: "hidden" }))
      assert.deepStrictEqual(lines[0], {
        event: "feed.signal_unusable",
        component: "root/feeds/feed:north",
        logLevel: "Warn",
        msg: "price must be above zero",
        id: "b1",
        wave: "2025-10-21T22:45:00.000Z",
        errors: [{ path: "price", message: "must be above zero" }]
      })
      assert.deepInclude(lines[1], { id: null, wave: null })
      assert.match(
        String(lines[1]?.["msg"]),
        /^id must .*, symbol must .*, action must .*, wave must .*, price must /
      )
      assert.notMatch(JSON.stringify([lines, alerts]), /<x>|HOLD|soon|hidden/, "no value is repeated")
      assert.deepStrictEqual(alerts, [
        {
          kind: "feed.signals_unusable",
          severity: "MEDIUM",
          dedupKey: "feed.signals_unusable/north",
          component: "root/feeds/feed:north",
          message: "2 signals of north cannot be traded, such as b1: price must be above zero",
          detail: {
            count: 2,
            total: 7,
            example: { id: "b1", errors: [{ path: "price", message: "must be above zero" }] }
          }
        }
      ])
    })
  )

  it.effect("that are repeated are no news, and another one is", () =>
    Effect.gen(function* () {
      const { alerts, lines, report } = world()
      yield* report(bad("b1"))
      yield* report(bad("b1"), bad("b1", { score: 9 }))
      assert.deepStrictEqual([alerts.length, lines.length], [1, 1])
      yield* report(bad("b1"), bad("b2"))
      assert.deepStrictEqual([alerts.length, lines[1]?.["id"]], [2, "b2"])
    })
  )

  it.effect("by the hundred are 20 lines a minute, and the rest is a number in the next line", () =>
    Effect.gen(function* () {
      const { alerts, lines, report } = world()
      yield* TestClock.adjust(60_000)
      yield* report(...Array.from({ length: 300 }, (_, n) => bad(`bad-${n}`)))
      assert.lengthOf(lines, 20)
      assert.match(alerts[0]?.message ?? "", /^300 signals of north/)
      yield* TestClock.adjust(59_999)
      yield* report(bad("soon"))
      assert.lengthOf(lines, 20)
      yield* TestClock.adjust(1)
      yield* report(bad("later"), bad("last"))
      assert.deepInclude(lines[20], { id: "later", unreported: 281 })
      assert.notProperty(lines[21], "unreported")
    })
  )

  it.effect("are remembered up to a bound", () =>
    Effect.gen(function* () {
      const { report, reported } = world()
      for (let n = 0; n < 3; n += 1) yield* report(...Array.from({ length: 999 }, (_, m) => bad(`${n}-${m}`)))
      assert.isAtMost(reported.keys.size, 1_000)
    })
  )
})
