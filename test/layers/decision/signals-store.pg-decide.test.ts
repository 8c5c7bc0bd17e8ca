import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { decide, type Decision, planSignal } from "../../../src/domain/decision/decision.ts"
import type { Facts } from "../../../src/domain/decision/facts.ts"
import { claimLimits } from "../../../src/domain/kernel/limits-signals.ts"
import { versionOf } from "../../../src/domain/kernel/settings-change.ts"
import type { Claim, Planner, SignalsStoreService } from "../../../src/layers/decision/signals-store.port.ts"
import {
  expireLeases,
  insertAccounts,
  insertSignals,
  plannerOf,
  planSettings,
  preparedStore,
  rows,
  storeOn
} from "../../support/decisions.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom()
const plan = plannerOf(settings)
const decideAll = (store: SignalsStoreService, claim: Claim, planner: Planner = plan) =>
  store.decide(claim.token, claim.signals, ["paper-1"], planner)

describe("deciding", () => {
  it.live("commits decision, order, quote and status of a whole batch together", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const ids = yield* insertSignals(database, [
          {},
          { action: "SELL", direction: "SHORT", quantity: "2.5", symbol: "QQQ" }
        ])
        const outcomes = yield* decideAll(store, yield* store.claim(10))
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["Decided", "Decided"]
        )
        const orders = yield* rows<Record<string, unknown>>(
          database,
          "SELECT signal_id, account, strategy, leg, intent, symbol, side, type, quantity, time_in_force, status, source, venue, sends, valid_until > now() AS valid FROM orders ORDER BY seq"
        )
        assert.deepStrictEqual(orders, [
          {
            signal_id: ids[0],
            account: "paper-1",
            strategy: "default",
            leg: 0,
            intent: "entry",
            symbol: "SPY",
            side: "buy",
            type: "market",
            quantity: "1",
            time_in_force: "gtc",
            status: "intended",
            source: "webhook",
            venue: "practice",
            sends: 0,
            valid: true
          },
          {
            signal_id: ids[1],
            account: "paper-1",
            strategy: "default",
            leg: 0,
            intent: "entry",
            symbol: "QQQ",
            side: "sell",
            type: "market",
            quantity: "2.5",
            time_in_force: "gtc",
            status: "intended",
            source: "webhook",
            venue: "practice",
            sends: 0,
            valid: true
          }
        ])
        const trace = yield* rows<Record<string, unknown>>(
          database,
          `SELECT s.status, s.claim, s.lease_until, s.decided_at IS NOT NULL AS at, d.outcome, d.engine, d.variant, d.settings_version AS settings,
        jsonb_array_length(d.checks) AS checks, e.symbol FROM signals s JOIN decisions d ON d.signal_id = s.id JOIN enriched_signals e ON e.signal_id = s.id ORDER BY s.seq`
        )
        const row = {
          status: "done",
          claim: null,
          lease_until: null,
          at: true,
          outcome: "ordered",
          engine: "A",
          variant: "A",
          settings: versionOf(settings),
          checks: 27
        }
        assert.deepStrictEqual(trace, [
          { ...row, symbol: "SPY" },
          { ...row, symbol: "QQQ" }
        ])
      })
    )
  )

  it.live("writes nothing for a claim that somebody else took over", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const other = yield* storeOn(database)
        yield* insertSignals(database, [{}])
        const stale = yield* store.claim(1)
        yield* expireLeases(database)
        const fresh = yield* other.claim(1)
        assert.deepStrictEqual(
          (yield* decideAll(store, stale)).map(({ _tag }) => _tag),
          ["ClaimLost"]
        )
        assert.deepStrictEqual(yield* rows(database, "SELECT id FROM orders"), [])
        assert.deepStrictEqual(
          (yield* decideAll(other, fresh)).map(({ _tag }) => _tag),
          ["Decided"]
        )
        assert.deepStrictEqual(
          (yield* decideAll(store, stale)).map(({ _tag }) => _tag),
          ["ClaimLost"]
        )
        assert.strictEqual((yield* rows(database, "SELECT id FROM orders")).length, 1)
      })
    )
  )

  it.live("decides each signal once when many deciders race with the same and with other claims", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const ids = yield* insertSignals(
          database,
          Array.from({ length: 40 }, () => ({}))
        )
        const claims = yield* Effect.all(Array.from({ length: 5 }, () => store.claim(8)))
        const attempts = claims.flatMap((claim) => [claim, claim, claim])
        const outcomes = (yield* Effect.all(
          attempts.map((claim) => decideAll(store, claim)),
          { concurrency: "unbounded" }
        )).flat()
        assert.strictEqual(outcomes.filter(({ _tag }) => _tag === "Decided").length, ids.length)
        assert.strictEqual(outcomes.filter(({ _tag }) => _tag === "ClaimLost").length, 2 * ids.length)
        assert.strictEqual((yield* rows(database, "SELECT id FROM orders")).length, ids.length)
      })
    )
  )

  it.live("keeps a limit when two processes decide for one account at the same moment", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* preparedStore
        const limited = settingsFrom({ risk: { openPositionsPerSymbolMax: 1 } })
        const [one, two] = [yield* storeOn(database, limited), yield* storeOn(database, limited)]
        yield* insertSignals(
          database,
          Array.from({ length: 20 }, () => ({}))
        )
        const claims = yield* Effect.all(
          Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).claim(1))
        )
        yield* Effect.all(
          claims.map((claim, index) => decideAll(index % 2 === 0 ? one : two, claim, plannerOf(limited))),
          { concurrency: "unbounded" }
        )
        const count = yield* rows(
          database,
          "SELECT status, count(*)::int AS n FROM orders GROUP BY status ORDER BY status"
        )
        assert.deepStrictEqual(count, [
          { status: "denied", n: 19 },
          { status: "intended", n: 1 }
        ])
      })
    )
  )

  it.live("sees positions, open and unresolved orders, and trading states as they are now", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertSignals(database, [{}, {}])
        yield* decideAll(store, yield* store.claim(1))
        yield* database.run(
          "test.book",
          (sql) => sql`UPDATE orders SET status = 'unknown', filled_quantity = 0.25`
        )
        yield* database.run(
          "test.book",
          (sql) =>
            sql`INSERT INTO positions (id, account, symbol, quantity, average_price, realised_pnl) VALUES (gen_random_uuid(), 'paper-1', 'SPY', -3, 99.5, -12.34)`
        )
        yield* database.run(
          "test.book",
          (sql) =>
            sql`INSERT INTO trading_state (scope, state, reason, changed_by) VALUES ('account:paper-1', 'REDUCING', 'test', 'test')`
        )
        const seen: Array<unknown> = []
        yield* decideAll(store, yield* store.claim(1), (signal, context) => {
          seen.push(
            context.trading.get("global"),
            context.trading.get("account:paper-1"),
            context.accounts.get("paper-1")
          )
          return plan(signal, context)
        })
        const account = seen[2] as { readonly reconciledAtMs: number }
        assert.deepStrictEqual(seen, [
          "ACTIVE",
          "REDUCING",
          {
            id: "paper-1",
            venue: "practice",
            enabled: true,
            reconciledAtMs: account.reconciledAtMs,
            calendar: "24x7",
            startingCash: "100000",
            realisedPnl: "-12.34",
            balance: null,
            positions: [
              {
                symbol: "SPY",
                quantity: "-3",
                averagePrice: "99.5",
                confirmed: null,
                disputed: false,
                shares: []
              }
            ],
            orders: [
              {
                symbol: "SPY",
                strategy: "default",
                side: "buy",
                intent: "entry",
                status: "unknown",
                count: 1,
                quantity: "1",
                filledQuantity: "0.25",
                price: null
              }
            ]
          }
        ])
      })
    )
  )

  it.live("puts off, without counting an attempt, what may be decided soon", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertAccounts(database, ["paper-1"], false)
        yield* insertSignals(database, [{}])
        const claim = yield* store.claim(1)
        assert.deepStrictEqual(yield* decideAll(store, claim), [
          { _tag: "Deferred", id: claim.signals[0]?.id ?? "", codes: ["paper-1:account_not_reconciled"] }
        ])
        assert.strictEqual((yield* store.claim(1)).signals.length, 0)
        yield* Effect.sleep(claimLimits.deferMs + 50)
        const again = yield* store.claim(1)
        assert.deepStrictEqual(
          again.signals.map(({ attempts }) => attempts),
          [1]
        )
        yield* insertAccounts(database, ["paper-1"])
        assert.deepStrictEqual(
          (yield* decideAll(store, again)).map(({ _tag }) => _tag),
          ["Decided"]
        )
      })
    )
  )
})

describe("a signal that its decider cannot survive", () => {
  const poisonous =
    (id: string): Planner =>
    (signal, context) => {
      if (signal.id === id) throw new TypeError("poison")
      return plan(signal, context)
    }

  it.live("is isolated: its neighbours in the batch are decided, itself is tried again later", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [, poison] = yield* insertSignals(database, [{}, {}, {}])
        const outcomes = yield* decideAll(store, yield* store.claim(10), poisonous(poison ?? ""))
        assert.deepStrictEqual(
          outcomes.map(({ _tag }) => _tag),
          ["Decided", "Failed", "Decided"]
        )
        assert.deepStrictEqual(yield* rows(database, "SELECT status, reason FROM signals ORDER BY seq"), [
          { status: "done", reason: null },
          { status: "processing", reason: "TypeError: poison" },
          { status: "done", reason: null }
        ])
      })
    )
  )

  it.live("is buried with its body and reason after the last attempt", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [poison = ""] = yield* insertSignals(database, [{}])
        for (let attempt = 1; attempt < claimLimits.attemptsMax; attempt += 1) {
          const [outcome] = yield* decideAll(store, yield* store.claim(1), poisonous(poison))
          assert.strictEqual(outcome?._tag, "Failed")
          yield* expireLeases(database)
        }
        assert.deepStrictEqual(yield* decideAll(store, yield* store.claim(1), poisonous(poison)), [
          { _tag: "Buried", id: poison, reason: "TypeError: poison" }
        ])
        assert.deepStrictEqual(
          yield* rows(
            database,
            "SELECT s.status, d.origin, d.reference = s.id::text AS its, d.reason, d.payload = s.body AS body FROM signals s, dead_letters d"
          ),
          [{ status: "dead", origin: "pipeline", its: true, reason: "TypeError: poison", body: true }]
        )
        yield* expireLeases(database)
        assert.strictEqual((yield* store.claim(1)).signals.length, 0)
      })
    )
  )

  it.live("is buried without another try when its deciders died of it, process and all", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const [poison = ""] = yield* insertSignals(database, [{}])
        for (let death = 1; death <= claimLimits.claimsMax; death += 1) {
          yield* store.claim(1)
          yield* store.releaseOwn("crash")
        }
        const claim = yield* store.claim(1)
        const [outcome] = yield* decideAll(store, claim, () => assert.fail("it must not be tried again"))
        assert.deepStrictEqual(outcome, {
          _tag: "Buried",
          id: poison,
          reason: `claimed ${claimLimits.claimsMax + 1} times without a decision`
        })
      })
    )
  )

  it.live("fails alone when the database refuses what was planned for it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        yield* insertSignals(database, [{}])
        const claim = yield* store.claim(1)
        const broken: Planner = (signal, context) => {
          const planned = plan(signal, context)
          if (planned._tag === "Deferred") return planned
          const orders = planned.decision.orders.map((order) => ({ ...order, quantity: "-1" }))
          return { ...planned, decision: { ...planned.decision, orders } }
        }
        const error = yield* Effect.flip(decideAll(store, claim, broken))
        assert.strictEqual(error._tag, "DatabaseFault")
        assert.deepStrictEqual(yield* rows(database, "SELECT signal_id FROM decisions"), [])
        const [signal = assert.fail()] = claim.signals
        assert.strictEqual((yield* store.fail(claim.token, signal, "refused"))._tag, "Failed")
        assert.deepStrictEqual(yield* store.fail(randomUUID(), signal, "refused"), {
          _tag: "ClaimLost",
          id: signal.id
        })
      })
    )
  )
})

interface DecidedRow extends Pick<Decision, "checks" | "outcome" | "reason"> {
  readonly facts: Facts
  readonly bytes: number
}

describe("the facts of a decision", () => {
  it.live("are stored with it, small, and give it again byte by byte", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const symbols = Array.from({ length: 12 }, (_, index) => `SYM${index}`)
        yield* database.run(
          "test.positions",
          (
            sql
          ) => sql`INSERT INTO positions (id, account, symbol, quantity, average_price, confirmed_quantity)
            SELECT gen_random_uuid(), 'paper-1', symbol, 12.5, 431.25, 12.5 FROM unnest(${symbols}::text[]) AS s (symbol)`
        )
        yield* insertSignals(
          database,
          Array.from({ length: 48 }, (_, index) => ({
            symbol: `SYM${index % 15}`,
            direction: (["LONG", "SHORT", "CALL"] as const)[index % 3] ?? null,
            quantity: index % 4 === 0 ? "2.5" : null
          }))
        )
        const planner: Planner = (signal, context) =>
          planSignal({
            signal,
            context,
            settings: planSettings(settings),
            quoteOf: (symbol) => ({ symbol, bid: "430.25", ask: "430.5", last: "430.375", atMs: Date.now() }),
            figuresOf: () => null,
            votes: null,
            voters: null,
            chain: null,
            mayDefer: false
          })
        yield* decideAll(store, yield* store.claim(64), planner)
        const decided = yield* rows<DecidedRow>(
          database,
          "SELECT outcome, reason, checks, facts, octet_length(facts::text) AS bytes FROM decisions"
        )
        assert.strictEqual(decided.length, 48)
        for (const { checks, facts, outcome, reason } of decided) {
          const again = decide(facts, planSettings(settings))
          assert.deepStrictEqual(again.missing, [])
          const { decided: made } = again
          const decision = made._tag === "Decided" ? made.decision : assert.fail("it was not put off then")
          assert.deepStrictEqual(
            { checks: decision.checks, outcome: decision.outcome, reason: decision.reason },
            { checks, outcome, reason }
          )
        }
        // With a book of a dozen positions and the orders of the whole batch in it.
        const sizes = decided.map(({ bytes }) => bytes).toSorted((a, b) => a - b)
        assert.isAtMost(sizes[24] ?? 0, 4_096, `bytes: ${sizes.join(" ")}`)
      })
    )
  )
})

describe("a decider that is frozen in the middle", () => {
  it.live("rolls back when it is interrupted, and its signal is decided by the next", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* preparedStore
        const other = yield* storeOn(database)
        yield* insertSignals(database, [{}])
        const claim = yield* store.claim(1)
        // The account's lock is held by somebody else, so the first statement of the decision waits.
        const [locked, over] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const held = yield* database
          .transact("test.hold", (sql) =>
            sql`SELECT pg_advisory_xact_lock(hashtextextended('decide:paper-1', 0))`.pipe(
              Effect.andThen(Deferred.succeed(locked, undefined)),
              Effect.andThen(Deferred.await(over))
            )
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(locked)
        const waiting = yield* decideAll(store, claim).pipe(Effect.forkChild)
        yield* Effect.sleep(100)
        yield* Fiber.interrupt(waiting)
        yield* Deferred.succeed(over, undefined)
        yield* Fiber.await(held)
        yield* expireLeases(database)
        assert.deepStrictEqual(
          (yield* decideAll(other, yield* other.claim(1))).map(({ _tag }) => _tag),
          ["Decided"]
        )
        assert.deepStrictEqual(
          (yield* decideAll(store, claim)).map(({ _tag }) => _tag),
          ["ClaimLost"]
        )
      })
    )
  )
})
