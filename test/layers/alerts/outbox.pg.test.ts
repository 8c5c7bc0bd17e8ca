/** The rows of the sinks: made once, sent by one, tried as they were tried. */
import { assert, describe, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { outboxLimits } from "../../../src/domain/alerts/outbox-limits.ts"
import { alertsStorePg } from "../../../src/layers/alerts/alerts-store.pg.ts"
import { AlertsStore } from "../../../src/layers/alerts/alerts-store.port.ts"
import { type Alert, outbreakOf } from "../../../src/layers/alerts/alerts.port.ts"
import { outboxPg } from "../../../src/layers/alerts/outbox.pg.ts"
import { type Delivery, Outbox, type Sender, type Taken } from "../../../src/layers/alerts/outbox.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { layerFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const file = { kind: "file", path: "/tmp/alerts.jsonl" }
const settings = (sinks: Readonly<Record<string, object>>, over: object = {}) =>
  settingsFrom({
    alerts: {
      sinks: Object.fromEntries(Object.entries(sinks).map(([name, sink]) => [name, { ...file, ...sink }])),
      ...over
    }
  }).alerts
const senderOf = (sink: string): Sender => ({ sink, owner: randomUUID() })

const run = (statement: string) =>
  Effect.flatMap(Database, (database) =>
    database.run("test", (sql) => sql.unsafe<Record<string, unknown>>(statement))
  )
const empty = Effect.andThen(
  run("TRUNCATE outbox, sinks"),
  run(
    "UPDATE alerts SET routed_at = hf_now(), resolved_at = hf_now() WHERE routed_at IS NULL OR resolved_at IS NULL"
  )
)

/** Stores alerts as their component does. */
const raise = (...alerts: ReadonlyArray<Partial<Alert> & { readonly dedupKey: string }>) =>
  Effect.flatMap(AlertsStore, (store) =>
    store.store(
      alerts.map((alert) =>
        outbreakOf(
          { severity: "HIGH", kind: "order.vanished", message: alert.dedupKey, standing: true, ...alert },
          randomUUID(),
          Date.now()
        )
      )
    )
  )
const many = (prefix: string, count: number, over: Partial<Alert> = {}) =>
  Array.from({ length: count }, (_, n) => ({ dedupKey: `${prefix}${n}`, ...over }))

const route = (...given: Parameters<typeof settings>) =>
  Effect.flatMap(Outbox, (outbox) => outbox.route(settings(...given)))
const take = (sender: Sender, perMinuteMax = 1_000) =>
  Effect.flatMap(Outbox, (outbox) => outbox.take(sender, perMinuteMax))
const deliveryOf = (taken: Taken): Delivery =>
  taken._tag === "Delivery" ? taken.delivery : assert.fail(taken._tag)
const messages = ({ alerts }: Delivery) => alerts.map(({ message }) => message)
const rowsOf = (sink: string) =>
  Effect.map(
    run(`SELECT content ->> 'message' AS message, occasion FROM outbox WHERE sink = '${sink}' ORDER BY seq`),
    (rows) => rows.map(({ message, occasion }) => `${String(message)} ${String(occasion)}`)
  )

const World = Layer.mergeAll(alertsStorePg, outboxPg).pipe(Layer.provideMerge(layerFreshDatabase()))

layer(World, { excludeTestServices: true })("the outbox", (it) => {
  describe("routing", () => {
    it.effect("makes one row per sink and alert, in order, however often it looks and whoever does", () =>
      Effect.gen(function* () {
        yield* empty
        yield* raise({ dedupKey: "one" }, { dedupKey: "low", severity: "LOW" }, { dedupKey: "two" })
        const both = { a: {}, b: { severityMin: "LOW" } }
        const told = yield* Effect.all([route(both), route(both), route(both)], { concurrency: "unbounded" })
        assert.sameMembers([...new Set(told.flat())], ["a", "b"])
        assert.deepStrictEqual(yield* rowsOf("a"), ["one HIGH", "two HIGH"])
        assert.deepStrictEqual(yield* rowsOf("b"), ["one HIGH", "low LOW", "two HIGH"])
        yield* raise({ dedupKey: "one" })
        assert.deepStrictEqual(yield* route(both), [], "a repetition is the same outbreak")
      })
    )

    it.effect("without sinks marks nothing, so that a process that has some finds it", () =>
      Effect.gen(function* () {
        yield* empty
        yield* raise({ dedupKey: "kept" })
        assert.deepStrictEqual(yield* route({}), [])
        assert.deepStrictEqual(yield* route({ a: {} }), ["a"])
      })
    )

    it.effect("an alert that becomes graver is told again, also to who was told nothing before", () =>
      Effect.gen(function* () {
        yield* empty
        const sinks = { all: { severityMin: "LOW" }, grave: { severityMin: "CRITICAL" } }
        yield* raise({ dedupKey: "worse", severity: "LOW" })
        yield* route(sinks)
        yield* raise({ dedupKey: "worse", severity: "CRITICAL" })
        yield* raise({ dedupKey: "worse", severity: "HIGH" })
        yield* route(sinks)
        yield* route(sinks)
        assert.deepStrictEqual(yield* rowsOf("all"), ["worse LOW", "worse CRITICAL"])
        assert.deepStrictEqual(yield* rowsOf("grave"), ["worse CRITICAL"])
      })
    )

    it.effect("a CRITICAL alert that nobody acknowledges in time is escalated once", () =>
      Effect.gen(function* () {
        yield* empty
        const given = [
          { a: {}, boss: { kinds: [] } },
          { escalation: { afterMs: 60_000, to: ["boss"] } }
        ] as const
        const critical = { severity: "CRITICAL" } as const
        yield* raise(
          { dedupKey: "late", ...critical },
          { dedupKey: "seen", ...critical },
          { dedupKey: "over", ...critical },
          { dedupKey: "high" }
        )
        yield* route(...given)
        yield* run("UPDATE alerts SET acknowledged_at = hf_now() WHERE dedup_key = 'seen'")
        yield* run("UPDATE alerts SET resolved_at = hf_now() WHERE dedup_key = 'over'")
        yield* route(...given)
        assert.deepStrictEqual(yield* rowsOf("boss"), [], "not before its time")
        yield* run("UPDATE alerts SET routed_at = routed_at - interval '61 seconds'")
        assert.deepStrictEqual(yield* route(...given), ["boss"])
        assert.deepStrictEqual(yield* route(...given), [])
        assert.deepStrictEqual(yield* rowsOf("boss"), ["late escalated"])
        assert.isTrue(deliveryOf(yield* take(senderOf("boss"))).isEscalated)
      })
    )

    it.effect("above its bound a sink gets only what is CRITICAL, and the rest is counted as given up", () =>
      Effect.gen(function* () {
        yield* empty
        yield* run(`INSERT INTO outbox (sink, alert_id, occasion, severity, kind, content)
          SELECT 'full', gen_random_uuid(), 'HIGH', 'HIGH', 'a.b', '{"message": "x", "at_ms": 0}'
          FROM generate_series(1, ${outboxLimits.waitingMax - 1})`)
        yield* raise({ dedupKey: "fits" }, { dedupKey: "much" }, { dedupKey: "grave", severity: "CRITICAL" })
        yield* route({ full: {} })
        const outbox = yield* Outbox
        const { dead, queued } = yield* outbox.figures("full")
        assert.deepStrictEqual([dead, queued], [1, outboxLimits.waitingMax + 1])
        const [head] = deliveryOf(yield* take(senderOf("full"))).alerts
        assert.strictEqual(head.message, "grave")
      })
    )
  })

  describe("sending", () => {
    it.effect("is in order, one message at a time, and what was sent is never taken again", () =>
      Effect.gen(function* () {
        yield* empty
        const outbox = yield* Outbox
        const sender = senderOf("s")
        yield* raise(
          { dedupKey: "1" },
          { dedupKey: "2", kind: "a.b" },
          { dedupKey: "3", severity: "CRITICAL" }
        )
        yield* route({ s: {} })
        const seen: Array<string> = []
        for (let n = 0; n < 3; n += 1) {
          const delivery = deliveryOf(yield* take(sender))
          seen.push(...messages(delivery))
          yield* outbox.sent(sender, delivery)
        }
        assert.deepStrictEqual(seen, ["3", "1", "2"], "CRITICAL first")
        assert.strictEqual((yield* take(sender))._tag, "Nothing")
        const figures = yield* outbox.figures("s")
        assert.deepInclude(figures, { queued: 0, oldestMs: null, sent: 3, dead: 0, lastError: null })
      })
    )

    it.effect("of two processes one sends; after a kill the other one takes over, with the same id", () =>
      Effect.gen(function* () {
        yield* empty
        const outbox = yield* Outbox
        const [one, two] = [senderOf("s"), senderOf("s")]
        yield* raise({ dedupKey: "x" }, { dedupKey: "y", kind: "a.b" })
        yield* route({ s: {} })
        const first = deliveryOf(yield* take(one))
        assert.strictEqual((yield* take(two))._tag, "Held")
        // The first is killed: it says nothing more, and its time runs out.
        yield* run("UPDATE sinks SET until = hf_now() - interval '1 second'")
        const again = deliveryOf(yield* take(two))
        assert.deepStrictEqual([again.id, messages(again)], [first.id, ["x"]])
        assert.strictEqual((yield* take(one))._tag, "Held")
        // A process that was only frozen says what it did, and frees nothing that is another's.
        yield* outbox.sent(one, first)
        assert.strictEqual((yield* take(one))._tag, "Held")
        yield* outbox.sent(two, again)
        assert.deepInclude(yield* outbox.figures("s"), { sent: 1, queued: 1 })
        assert.deepStrictEqual(messages(deliveryOf(yield* take(one))), ["y"], "freed with its result")
      })
    )

    it.effect("many of one kind are one message, which stays what it was when more come", () =>
      Effect.gen(function* () {
        yield* empty
        const outbox = yield* Outbox
        const sender = senderOf("s")
        yield* raise(...many("m", 13))
        yield* route({ s: {} })
        const first = deliveryOf(yield* take(sender))
        assert.lengthOf(first.alerts, 13)
        const attempt = { failure: "unreachable" as const, reason: "no answer", retryMs: 0, isOver: false }
        yield* outbox.failed(sender, first, attempt)
        yield* raise(...many("n", 4))
        yield* route({ s: {} })
        const again = deliveryOf(yield* take(sender))
        assert.deepStrictEqual([again.id, messages(again)], [first.id, messages(first)])
        yield* outbox.sent(sender, again)
        assert.deepStrictEqual(messages(deliveryOf(yield* take(sender))), ["n0", "n1", "n2", "n3"])
      })
    )

    it.effect("a failure is remembered until its time, refusals are counted, and what is over is dead", () =>
      Effect.gen(function* () {
        yield* empty
        const outbox = yield* Outbox
        const sender = senderOf("s")
        yield* raise({ dedupKey: "x" })
        yield* route({ s: {} })
        const failed = (failure: "refused" | "unreachable", retryMs: number, isOver = false) =>
          Effect.gen(function* () {
            const delivery = deliveryOf(yield* take(sender))
            yield* outbox.failed(sender, delivery, { failure, reason: `it is ${failure}`, retryMs, isOver })
            return delivery.refusals
          })
        assert.strictEqual(yield* failed("unreachable", 0), 0)
        assert.strictEqual(yield* failed("refused", 0), 0)
        assert.strictEqual(yield* failed("refused", 60_000), 1)
        const later = yield* take(senderOf("s"))
        assert.isTrue(later._tag === "NotYet" && later.waitMs > 55_000 && later.waitMs <= 60_000)
        assert.strictEqual((yield* outbox.figures("s")).lastError, "it is refused")
        yield* run("UPDATE outbox SET next_at = hf_now()")
        // Whoever looked last holds the sink for a while.
        yield* run("UPDATE sinks SET until = hf_now()")
        assert.strictEqual(yield* failed("refused", 0, true), 2)
        assert.deepInclude(yield* outbox.figures("s"), { queued: 0, dead: 1, sent: 0 })
        assert.strictEqual((yield* take(sender))._tag, "Nothing")
      })
    )

    it.effect("the rate counts messages of the last minute, of all processes", () =>
      Effect.gen(function* () {
        yield* empty
        const outbox = yield* Outbox
        const [one, two] = [senderOf("s"), senderOf("s")]
        yield* raise(...many("m", 5), { dedupKey: "b", kind: "b.b" }, { dedupKey: "c", kind: "c.c" })
        yield* route({ s: {} })
        for (const sender of [one, two]) yield* outbox.sent(sender, deliveryOf(yield* take(sender, 2)))
        const limited = yield* take(one, 2)
        assert.isTrue(limited._tag === "NotYet" && limited.waitMs > 55_000 && limited.waitMs <= 60_000)
        yield* run(
          "UPDATE outbox SET settled_at = settled_at - interval '61 seconds' WHERE kind = 'order.vanished'"
        )
        assert.deepStrictEqual(messages(deliveryOf(yield* take(one, 2))), ["c"])
      })
    )

    it.effect("what waited for a day is given up, and counted", () =>
      Effect.gen(function* () {
        yield* empty
        const outbox = yield* Outbox
        yield* raise({ dedupKey: "old" }, { dedupKey: "new", kind: "a.b" })
        yield* route({ s: {} })
        yield* run("UPDATE outbox SET created_at = created_at - interval '25 hours' WHERE kind <> 'a.b'")
        assert.deepStrictEqual(messages(deliveryOf(yield* take(senderOf("s")))), ["new"])
        assert.strictEqual((yield* outbox.figures("s")).dead, 1)
      })
    )
  })
})
