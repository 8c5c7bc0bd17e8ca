/** What an alert keeps of texts from outside. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { alertLimits } from "../../../src/domain/kernel/limits.ts"
import { makeMask } from "../../../src/domain/kernel/redaction.ts"
import { type Alert, Alerts, type PendingEntry } from "../../../src/layers/alerts/alerts.port.ts"
import { alertsQueueMasked } from "../../../src/layers/alerts/alerts.queue.ts"
import { journalRing } from "../../../src/layers/platform/journal.ring.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { layerEntropy } from "../../support/entropy.ts"

const outbreaks = (entries: ReadonlyArray<PendingEntry>) =>
  entries.flatMap((entry) => (entry._tag === "Outbreak" ? [entry] : []))

const alert = (over: Partial<Alert> = {}): Alert => ({
  severity: "HIGH",
  kind: "broker.away",
  dedupKey: "broker.away:b",
  message: "away",
  ...over
})

const ground = Layer.mergeAll(Wake.layer, journalRing).pipe(Layer.provideMerge(layerEntropy))

describe("an alert", () => {
  it.effect("is kept without the secrets a peer repeated", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      yield* alerts.raise({
        severity: "HIGH",
        kind: "feed.credentials",
        dedupKey: "feed.credentials:f",
        message: "the server says: token hunter22 is wrong",
        detail: { url: "ws://u:p@h/x", said: ["hunter22"] }
      })
      const [alert] = outbreaks(alerts.takePending())
      assert.strictEqual(alert?.message, "the server says: token [redacted] is wrong")
      assert.deepStrictEqual(alert?.detail, { url: "ws://[redacted]@h/x", said: ["[redacted]"] })
      assert.strictEqual(alert?.dedupKey, "feed.credentials:f")
    }).pipe(Effect.provide(alertsQueueMasked(makeMask(["hunter22"])).pipe(Layer.provide(ground))))
  )
})

const queue = alertsQueueMasked(makeMask([])).pipe(Layer.provideMerge(ground))

describe("outbreaks that wait to be stored", () => {
  it.effect("repetitions are one entry: the worst severity, the first words and the last ones", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      yield* alerts.raise(alert({ severity: "MEDIUM", message: "first" }))
      yield* TestClock.adjust("5 seconds")
      yield* alerts.raise(alert({ message: "second" }))
      yield* alerts.raise(alert({ severity: "LOW", message: "third" }))
      const entries = outbreaks(alerts.takePending())
      assert.strictEqual(entries.length, 1)
      const [one] = entries
      assert.deepInclude(one, { severity: "HIGH", message: "first", occurrences: 3, resolved: null })
      assert.strictEqual(one?.last.message, "third")
      assert.deepStrictEqual([one?.firstAtMs, one?.lastAtMs], [0, 5_000])
    }).pipe(Effect.provide(queue))
  )

  it.effect(
    "what is over and comes again is another entry, also when the first came back from a failed store",
    () =>
      Effect.gen(function* () {
        const alerts = yield* Alerts
        yield* alerts.raise(alert())
        const taken = alerts.takePending()
        yield* alerts.resolve("broker.away:b", "it is back")
        yield* alerts.raise(alert({ message: "again" }))
        alerts.putBack(taken)
        const entries = outbreaks(alerts.takePending())
        assert.deepStrictEqual(
          entries.map(({ message, resolved }) => [message, resolved?.by ?? null]),
          [
            ["away", "it is back"],
            ["again", null]
          ]
        )
      }).pipe(Effect.provide(queue))
  )

  it.effect("that all is well is told once, and again after a while or another alert", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      const told = () => alerts.takePending().filter(({ _tag }) => _tag === "Closing").length
      const well = alerts.resolve("broker.away:b", "it is back")
      yield* well
      yield* well
      assert.strictEqual(told(), 1)
      yield* well
      assert.strictEqual(told(), 0)
      yield* alerts.raise(alert())
      alerts.takePending()
      yield* well
      assert.strictEqual(told(), 1)
      yield* TestClock.adjust(alertLimits.resolveAgainMs)
      yield* well
      assert.strictEqual(told(), 1)
    }).pipe(Effect.provide(queue))
  )

  it.effect(
    "a condition is logged when it begins, not each time it still lasts, and again when it comes back",
    () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        const logger = Logger.make(
          ({ logLevel, message }) => void lines.push(`${logLevel} ${String(message)}`)
        )
        const alerts = yield* Alerts
        const state = alert({ standing: true })
        yield* Effect.gen(function* () {
          yield* alerts.raise(state)
          yield* alerts.raise(state)
          yield* alerts.resolve(state.dedupKey, "it is back")
          yield* alerts.raise(state)
        }).pipe(Effect.provide(Logger.layer([logger])))
        assert.deepStrictEqual(lines, ["Error away", "Info it is back", "Error away"])
      }).pipe(Effect.provide(queue))
  )

  it.effect("many closings at once are one entry, and only of keys for which that is news", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      const keys = Array.from({ length: 2 * alertLimits.pendingMax }, (_, n) => `k${n}`)
      yield* alerts.raise(alert({ dedupKey: "k1" }))
      yield* alerts.resolve(keys, "all well")
      const [outbreak, closing] = alerts.takePending()
      assert.strictEqual(outbreak?._tag === "Outbreak" ? outbreak.resolved?.by : null, "all well")
      assert.deepStrictEqual(
        closing?._tag === "Closing" ? closing.ended.keys : [],
        keys.filter((key) => key !== "k1")
      )
      yield* alerts.resolve([...keys, "other"], "all well")
      yield* alerts.resolve(keys, "all well")
      assert.deepStrictEqual(
        alerts.takePending().flatMap((entry) => (entry._tag === "Closing" ? entry.ended.keys : [])),
        ["other"]
      )
    }).pipe(Effect.provide(queue))
  )

  it.effect("closings make room before outbreaks do, and what is dropped is counted", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      yield* alerts.resolve("a", "well")
      for (let n = 0; n < alertLimits.pendingMax; n += 1) yield* alerts.raise(alert({ dedupKey: `k${n}` }))
      assert.deepInclude(alerts.counts(), { pending: alertLimits.pendingMax, dropped: 0 })
      yield* alerts.raise(alert({ dedupKey: "one more" }))
      assert.deepInclude(alerts.counts(), { pending: alertLimits.pendingMax, dropped: 1 })
      assert.strictEqual(outbreaks(alerts.takePending())[0]?.dedupKey, "k1")
    }).pipe(Effect.provide(queue))
  )
})

describe("a storm of alerts", () => {
  const storm = alertLimits.pendingMax
  it.effect("drops the least grave, the oldest of these first; what is CRITICAL stays, in its place", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      const raise = (severity: Alert["severity"], dedupKey: string) =>
        alerts.raise(alert({ severity, dedupKey }))
      yield* raise("CRITICAL", "first")
      yield* raise("LOW", "l1")
      yield* raise("MEDIUM", "m1")
      yield* raise("LOW", "l2")
      for (let n = 0; n < storm; n += 1) yield* raise("HIGH", `k${n}`)
      yield* raise("CRITICAL", "last")
      assert.deepInclude(alerts.counts(), { pending: storm, dropped: 5 })
      const keys = outbreaks(alerts.takePending()).map(({ dedupKey }) => dedupKey)
      assert.deepStrictEqual(
        [keys[0], keys[1], keys.at(-2), keys.at(-1)],
        ["first", "k2", `k${storm - 1}`, "last"]
      )
    }).pipe(Effect.provide(queue))
  )

  it.effect("[what comes is less grave than all that waits] is itself what is dropped, a closing too", () =>
    Effect.gen(function* () {
      const alerts = yield* Alerts
      for (let n = 0; n < storm; n += 1)
        yield* alerts.raise(alert({ severity: "CRITICAL", dedupKey: `c${n}` }))
      const taken = alerts.takePending()
      // A batch that could not be stored comes back before what was raised meanwhile.
      yield* alerts.raise(alert({ severity: "HIGH", dedupKey: "high" }))
      alerts.putBack(taken)
      yield* alerts.raise(alert({ severity: "LOW", dedupKey: "low" }))
      yield* alerts.resolve("elsewhere", "well")
      assert.deepInclude(alerts.counts(), { pending: storm, dropped: 2 })
      assert.deepStrictEqual(
        outbreaks(alerts.takePending()).map(({ dedupKey }) => dedupKey),
        outbreaks(taken).map(({ dedupKey }) => dedupKey)
      )
      // And what was dropped is raised again like any other.
      yield* alerts.raise(alert({ severity: "LOW", dedupKey: "low" }))
      assert.strictEqual(alerts.counts().pending, 1)
    }).pipe(Effect.provide(queue))
  )
})

describe("the line of an alert", () => {
  const levelOf = (given: Partial<Alert>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel }) => void lines.push(logLevel))
      const alerts = yield* Alerts
      yield* alerts.raise(alert(given)).pipe(Effect.provide(Logger.layer([logger])))
      return lines
    }).pipe(Effect.provide(queue))

  it.effect.each([
    ["LOW", undefined, "Info"],
    ["MEDIUM", undefined, "Warn"],
    ["HIGH", undefined, "Error"],
    ["CRITICAL", undefined, "Error"],
    ["LOW", true, "Info"],
    ["HIGH", true, "Warn"]
  ] as const)("[T11] %s (by an operator: %s) is logged at %s", ([severity, byOperator, level]) =>
    Effect.map(levelOf({ severity, ...(byOperator === undefined ? {} : { byOperator }) }), (lines) =>
      assert.deepStrictEqual(lines, [level])
    )
  )
})
