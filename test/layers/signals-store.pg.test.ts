import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { claimLimits } from "../../src/domain/limits.ts"
import type { DatabaseService } from "../../src/layers/database.ts"
import type { Claim, Planner, SignalsStoreService } from "../../src/layers/signals-store.ts"
import { insertAccounts, insertSignals, plannerOf, settingsFrom, storeOn } from "../support/decisions.ts"
import { openFreshDatabase } from "../support/postgres.ts"

const settings = settingsFrom()
const accounts = ["paper-1"]
const plan = plannerOf(settings)

const prepared = Effect.gen(function* () {
  const { database } = yield* openFreshDatabase()
  yield* insertAccounts(database)
  return { database, store: yield* storeOn(database) }
})
const rows = <Row extends object>(database: DatabaseService, text: string) =>
  database.run("test.rows", (sql) => sql.unsafe<Row>(text))
const expireLeases = (database: DatabaseService) =>
  database.run("test.expire", (sql) => sql`UPDATE signals SET lease_until = now() - interval '1 second'`)
const decideAll = (store: SignalsStoreService, claim: Claim, planner: Planner = plan) =>
  store.decide(claim.token, claim.signals, accounts, planner)

describe("claiming", () => {
  it.live("takes the oldest first, no more than asked, and nothing twice", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
        const ids = yield* insertSignals(
          database,
          Array.from({ length: 5 }, () => ({}))
        )
        const first = yield* store.claim(3)
        const second = yield* store.claim(3)
        assert.deepStrictEqual(
          first.signals.map(({ id }) => id),
          ids.slice(0, 3)
        )
        assert.deepStrictEqual(
          second.signals.map(({ id }) => id),
          ids.slice(3)
        )
        assert.strictEqual((yield* store.claim(3)).signals.length, 0)
        assert.notStrictEqual(first.token, second.token)
      })
    )
  )

  it.live("shares the queue among claimers at the same time without giving a row to two", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
        yield* insertSignals(
          database,
          Array.from({ length: 60 }, () => ({}))
        )
        const claims = yield* Effect.all(
          Array.from({ length: 12 }, () => store.claim(7)),
          { concurrency: "unbounded" }
        )
        const taken = claims.flatMap(({ signals }) => signals.map(({ id }) => id))
        assert.strictEqual(taken.length, 60)
        assert.strictEqual(new Set(taken).size, 60)
      })
    )
  )

  it.live("takes over what another node claimed only when its lease is over on the database's clock", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
        const other = yield* storeOn(database)
        yield* insertSignals(database, [{}])
        yield* other.claim(10)
        assert.strictEqual((yield* store.claim(10)).signals.length, 0)
        yield* expireLeases(database)
        const taken = yield* store.claim(10)
        assert.deepStrictEqual(
          taken.signals.map(({ attempts }) => attempts),
          [2]
        )
      })
    )
  )

  it.live("gives back at once what a former life of the same node claimed, and nothing of other nodes", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database } = yield* prepared
        const nodeId = randomUUID()
        const before = yield* storeOn(database, settings, nodeId)
        const after = yield* storeOn(database, settings, nodeId)
        const other = yield* storeOn(database)
        const [mine, theirs] = yield* insertSignals(database, [{}, {}])
        yield* before.claim(1)
        yield* other.claim(1)
        assert.strictEqual(yield* after.releaseOwn, 1)
        assert.deepStrictEqual(
          (yield* after.claim(10)).signals.map(({ id }) => id),
          [mine]
        )
        assert.notStrictEqual(mine, theirs)
      })
    )
  )

  it.live("reads decimals, dates and times as they were stored", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
        const [id] = yield* insertSignals(database, [{ direction: "CALL", quantity: "0.000000000000000001" }])
        yield* database.run(
          "test.option",
          (sql) =>
            sql`UPDATE signals SET strike = 450.50, expiration = '2026-12-18', price = 451, expires_from = '2026-11-23T15:00:00.123Z'`
        )
        const [claimed] = (yield* store.claim(1)).signals
        assert.deepStrictEqual(claimed?.kind === "signal" ? claimed.signal : null, {
          id: id ?? "",
          source: "default",
          symbol: "SPY",
          action: null,
          direction: "CALL",
          quantity: "0.000000000000000001",
          price: "451",
          strategy: null,
          strike: "450.50",
          expiration: "2026-12-18",
          experimentId: null,
          variant: null,
          expiresFromMs: Date.parse("2026-11-23T15:00:00.123Z")
        })
      })
    )
  )
})

describe("deciding", () => {
  it.live("commits decision, order, quote and status of a whole batch together", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
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
          `SELECT s.status, s.claim, s.lease_until, s.decided_at IS NOT NULL AS at, d.outcome, d.engine, d.variant,
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
          checks: 17
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
        const { database, store } = yield* prepared
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
        const { database, store } = yield* prepared
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
        const { database } = yield* prepared
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
        const { database, store } = yield* prepared
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
            positions: [{ symbol: "SPY", quantity: "-3", averagePrice: "99.5" }],
            orders: [
              {
                symbol: "SPY",
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
        const { database, store } = yield* prepared
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
        const { database, store } = yield* prepared
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
        const { database, store } = yield* prepared
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
        const { database, store } = yield* prepared
        const [poison = ""] = yield* insertSignals(database, [{}])
        for (let death = 1; death <= claimLimits.attemptsMax; death += 1) {
          yield* store.claim(1)
          yield* store.releaseOwn
        }
        const claim = yield* store.claim(1)
        const [outcome] = yield* decideAll(store, claim, () => assert.fail("it must not be tried again"))
        assert.deepStrictEqual(outcome, {
          _tag: "Buried",
          id: poison,
          reason: `claimed ${claimLimits.attemptsMax + 1} times without a decision`
        })
      })
    )
  )

  it.live("fails alone when the database refuses what was planned for it", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
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

describe("the backlog", () => {
  it.live("counts what is not decided and says how old the oldest is", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
        assert.deepStrictEqual(yield* store.backlog, { open: 0, oldestMs: 0 })
        yield* insertSignals(database, [{}, {}])
        yield* database.run(
          "test.age",
          (sql) => sql`UPDATE signals SET received_at = now() - interval '1 minute'`
        )
        yield* store.claim(1)
        const { oldestMs, open } = yield* store.backlog
        assert.strictEqual(open, 2)
        assert.isTrue(oldestMs >= 60_000 && oldestMs < 70_000)
      })
    )
  )
})

describe("a decider that is frozen in the middle", () => {
  it.live("rolls back when it is interrupted, and its signal is decided by the next", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { database, store } = yield* prepared
        const other = yield* storeOn(database)
        yield* insertSignals(database, [{}])
        const claim = yield* store.claim(1)
        // The account's lock is held by somebody else, so the first statement of the decision waits.
        const held = yield* database
          .transact("test.hold", (sql) =>
            Effect.andThen(
              sql`SELECT pg_advisory_xact_lock(hashtextextended('decide:paper-1', 0))`,
              Effect.sleep(600)
            )
          )
          .pipe(Effect.forkChild)
        yield* Effect.sleep(100)
        const waiting = yield* decideAll(store, claim).pipe(Effect.forkChild)
        yield* Effect.sleep(100)
        yield* Fiber.interrupt(waiting)
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
