/** Operators learn that the announced days of a calendar end, long before nothing is opened by it any more. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { calendarWatch } from "../../../src/actors/operators/calendar-watch.ts"
import { CALENDAR_WARNING_DAYS, coverOf } from "../../../src/domain/kernel/calendar.ts"
import { type Alert, Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { testSettings } from "../../integration/execution-world.ts"

const dayMs = 86_400_000
const endsMs = coverOf("XCME")?.endsMs ?? 0

const start = (file: Record<string, unknown>, atMs: number) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(atMs)
    const open = new Map<string, Alert>()
    const services = Layer.mergeAll(
      Layer.succeed(Config, testSettings(file)),
      Layer.mock(Alerts, {
        raise: (alert) => Effect.sync(() => void open.set(alert.dedupKey, alert)),
        resolveAllBut: (_prefix, keys) =>
          Effect.sync(() => {
            for (const key of open.keys()) if (!keys.includes(key)) open.delete(key)
          }),
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
    yield* Effect.forkChild(calendarWatch.pipe(Effect.provide(services)), { startImmediately: true })
    yield* TestClock.adjust(1)
    return open
  })

const futures = { instruments: { "ES*": { calendar: "XCME" } } }

describe("the calendars in use", () => {
  it.effect("are reported sixty days before their announced days end, and not a day before", () =>
    Effect.gen(function* () {
      const open = yield* start(futures, endsMs - CALENDAR_WARNING_DAYS * dayMs - dayMs)
      assert.strictEqual(open.size, 0)
      yield* TestClock.adjust("25 hours")
      assert.deepStrictEqual([...open.keys()], ["calendar.ending:XCME"])
      assert.strictEqual(open.get("calendar.ending:XCME")?.message, "the calendar XCME ends with 2027-12-31")
    })
  )

  it.effect("are no matter to an account that uses none of them", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* start({}, endsMs + dayMs)).size, 0)
    })
  )
})
