import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { positionId } from "../../src/domain/kernel/ids.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { accountChangesPg } from "../../src/layers/control/account-changes.pg.ts"
import { AccountChanges, type AccountsDefined } from "../../src/layers/control/account-changes.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { contextTerms, readContext } from "../../src/layers/orders/account-book.pg.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import {
  fillOf,
  intend,
  lifeOf,
  own,
  permitOf,
  readAccount,
  sql,
  testSettings,
  world
} from "./execution-world.ts"

const settings = testSettings()

/** Each test has an account of its own. */
const fresh = (id: string, owner = "node-a") => own(id, owner)

const nothing: AccountsDefined = { defined: [], removed: [], moved: [], life: lifeOf("node-a") }
const change = (given: Partial<AccountsDefined>) =>
  AccountChanges.use((changes) => changes.apply({ ...nothing, ...given }))
const remove = (...removed: ReadonlyArray<string>) => change({ removed })

/** What stands against a change, a line for each account. */
const refused = (given: Partial<AccountsDefined>) =>
  Effect.map(change(given), (outcome) =>
    outcome._tag === "Refused" ? outcome.problems.map(({ message, path }) => `${path} ${message}`) : outcome
  )

const retiredAt = (account: string) =>
  sql((client) =>
    Effect.map(
      client<{ readonly at: Date | null }>`SELECT retired_at AS at FROM accounts WHERE id = ${account}`,
      ([row]) => row?.at ?? null
    )
  )

/** Whether a decision would find the account reconciled. */
const mayOrder = (account: string) =>
  sql((client) =>
    Effect.map(
      readContext(client, contextTerms(settings), [account], []),
      ({ accounts }) => (accounts.get(account)?.reconciledAtMs ?? null) !== null
    )
  )

layer(Layer.provideMerge(accountChangesPg, world(settings)), { excludeTestServices: true })(
  "G11 accounts of a reload",
  (it) => {
    it.effect(
      "one that holds nothing goes: nobody owns it, nothing is ordered on it, its executor's fence is void",
      () =>
        Effect.gen(function* () {
          const accounts = yield* AccountsStore
          const grant = yield* fresh("leaves")
          assert.isTrue(yield* mayOrder("leaves"))
          assert.deepStrictEqual(yield* remove("leaves"), { _tag: "Changed", flows: [] })
          assert.isFalse(yield* mayOrder("leaves"))
          assert.isFalse(
            yield* accounts.markReconciled(grant),
            "what its executor still writes changes nothing"
          )
          assert.isFalse(yield* mayOrder("leaves"))
          const row = yield* readAccount("leaves")
          assert.deepInclude(row, { owner: null, fence: grant.fence + 1n, reconciledAt: null })
          assert.isNotNull(yield* retiredAt("leaves"))
          // A step back, or another process that has it in its settings.
          yield* fresh("leaves")
          assert.isNull(yield* retiredAt("leaves"))
          assert.isTrue(yield* mayOrder("leaves"))
        })
    )

    it.effect(
      "whatever it has is named, whichever book has it, and no other account of the change moves",
      () =>
        Effect.gen(function* () {
          const orders = yield* OrdersStore
          const fills = yield* FillsStore
          const positions = yield* PositionsStore
          yield* fresh("free")
          yield* fresh("waits")
          yield* intend({ account: "waits", symbol: "SPY" })
          const sends = yield* fresh("sends")
          yield* orders.submit(sends, yield* intend({ account: "sends", symbol: "SPY" }), permitOf())
          const unknown = yield* fresh("doubts")
          const sent = yield* orders.submit(
            unknown,
            yield* intend({ account: "doubts", symbol: "SPY" }),
            permitOf()
          )
          if (sent._tag !== "Submitting") return assert.fail(sent._tag)
          yield* orders.apply(unknown, sent.order, "order.outcome_lost", { reason: "no answer" })
          const holds = yield* fresh("holds")
          const order = yield* intend({ account: "holds", symbol: "QQQ" })
          yield* orders.submit(holds, order, permitOf())
          yield* fills.record("practice", fillOf(order, { account: "holds", quantity: "1" }))
          const theirs = yield* fresh("theirs")
          // The venue was asked before the row was made.
          yield* positions.confirm(theirs, [{ symbol: "IWM", quantity: "3" }], false, () => 50)
          const counts = yield* fresh("counts")
          const cut = yield* intend({ account: "counts", symbol: "DIA" })
          const out = yield* orders.submit(counts, cut, permitOf())
          if (out._tag !== "Submitting") return assert.fail(out._tag)
          yield* orders.apply(counts, out.order, "order.expired", { venueOrderId: "v-1" })
          const removed = ["free", "waits", "sends", "doubts", "holds", "theirs", "counts"]
          const defined = [{ id: "arrives", venue: "practice", startingCash: "5", enabled: true }]
          assert.deepStrictEqual(yield* refused({ removed, defined }), [
            "accounts.counts cannot be removed: it has 1 order whose fills are not complete",
            "accounts.doubts cannot be removed: it has 1 order unknown",
            "accounts.holds cannot be removed: it has a position in QQQ",
            "accounts.sends cannot be removed: it has 1 order submitting",
            "accounts.theirs cannot be removed: it has a position in IWM",
            "accounts.waits cannot be removed: it has 1 order intended"
          ])
          assert.isNull(yield* retiredAt("free"))
          assert.isTrue(yield* mayOrder("free"), "its executor goes on")
          assert.isNull(yield* readAccount("arrives"))
          assert.deepStrictEqual(yield* refused({ moved: ["holds", "free"] }), [
            "accounts.holds has a position in QQQ: the address and the rule of its broker cannot change until that is over"
          ])
          assert.isNull(yield* retiredAt("free"))
        })
    )

    it.effect("what the venue reported before the last fill does not keep it", () =>
      Effect.gen(function* () {
        const orders = yield* OrdersStore
        const fills = yield* FillsStore
        const positions = yield* PositionsStore
        const grant = yield* fresh("closed")
        const fill = (side: "buy" | "sell") =>
          Effect.gen(function* () {
            const order = yield* intend({ account: "closed", symbol: "SPY", side })
            yield* orders.submit(grant, order, permitOf())
            yield* fills.record("practice", fillOf(order, { account: "closed" }))
          })
        yield* fill("buy")
        yield* positions.confirm(grant, [{ symbol: "SPY", quantity: "1" }])
        yield* fill("sell")
        assert.deepStrictEqual(yield* remove("closed"), { _tag: "Changed", flows: [] })
      })
    )

    it.effect("one that another living process executes is not taken from it", () =>
      Effect.gen(function* () {
        const grant = yield* fresh("shared", "node-b")
        assert.deepStrictEqual(yield* remove("shared"), { _tag: "Changed", flows: [] })
        assert.deepInclude(yield* readAccount("shared"), { owner: grant.owner, fence: grant.fence })
        assert.isTrue(yield* mayOrder("shared"))
      })
    )

    it.effect("one that was left behind is found while nobody has it, whatever it holds", () =>
      Effect.gen(function* () {
        const accounts = yield* AccountsStore
        const fills = yield* FillsStore
        const orders = yield* OrdersStore
        const positions = yield* PositionsStore
        const grant = yield* fresh("left")
        const order = yield* intend({ account: "left", symbol: "QQQ" })
        yield* orders.submit(grant, order, permitOf())
        yield* fills.record("practice", fillOf(order, { account: "left", quantity: "1" }))
        const found = (configured: ReadonlyArray<string>) =>
          Effect.map(positions.abandoned(configured), (all) => all.find(({ account }) => account === "left"))
        assert.isUndefined(yield* found(["paper-1"]), "its owner is alive")
        yield* accounts.release([grant])
        assert.deepStrictEqual(yield* found(["paper-1"]), {
          account: "left",
          symbols: ["QQQ"],
          holds: "a position in QQQ"
        })
        assert.isUndefined(yield* found(["paper-1", "left"]), "it is about to be taken")
        yield* own("left")
        assert.isUndefined(yield* found(["paper-1"]))
      })
    )

    it.effect("one that is disabled stays as it is, but for that, until it is enabled again", () =>
      Effect.gen(function* () {
        const as = (id: string, enabled: boolean) => ({ id, venue: "practice", startingCash: "7", enabled })
        const enabledOf = (id: string) =>
          Effect.map(
            sql(
              (client) => client<{ readonly enabled: boolean }>`SELECT enabled FROM accounts WHERE id = ${id}`
            ),
            ([row]) => row?.enabled
          )
        yield* change({ defined: [as("flagged", true), as("other", true), as("closed-from-start", false)] })
        assert.isFalse(yield* enabledOf("closed-from-start"))
        yield* fresh("flagged")
        const before = yield* readAccount("flagged")
        assert.deepStrictEqual(yield* change({ defined: [as("flagged", false)] }), {
          _tag: "Changed",
          flows: []
        })
        assert.isFalse(yield* enabledOf("flagged"))
        assert.isTrue(yield* enabledOf("other"))
        assert.deepStrictEqual(yield* readAccount("flagged"), { ...before, enabled: false })
        yield* change({ defined: [as("flagged", true), as("other", true)] })
        assert.isTrue(yield* enabledOf("flagged"))
      })
    )

    it.effect(
      "new ones have a row at once; more cash is one deposit, however often; another venue is refused",
      () =>
        Effect.gen(function* () {
          const as = (venue: string, startingCash: string) => [
            { id: "pays", venue, startingCash, enabled: true }
          ]
          yield* change({ defined: as("practice", "100") })
          assert.deepInclude(yield* readAccount("pays"), { venue: "practice", owner: null })
          const paid = yield* change({ defined: as("practice", "150") })
          assert.deepStrictEqual(paid, {
            _tag: "Changed",
            flows: [{ account: "pays", amount: "50", before: "100", after: "150" }]
          })
          assert.deepStrictEqual(yield* change({ defined: as("practice", "150") }), {
            _tag: "Changed",
            flows: []
          })
          const [problem] = (yield* refused({ defined: as("elsewhere", "900") })) as ReadonlyArray<string>
          assert.include(problem, "accounts.pays.broker the account pays belongs to the broker practice")
          const rows = yield* sql(
            (client) => client<{ readonly n: number }>`
            SELECT count(*)::int AS n FROM account_cash_flows WHERE account = 'pays'`
          )
          assert.deepStrictEqual(rows, [{ n: 1 }])
        })
    )

    it.effect("a decision under way is waited for, and what it ordered keeps the account", () =>
      Effect.gen(function* () {
        yield* fresh("raced")
        const database = yield* Database
        const locked = yield* Deferred.make<void>()
        const ordered = yield* Deferred.make<void>()
        const deciding = yield* database
          .transact("test", (client) =>
            Effect.gen(function* () {
              // As the transaction of a decision begins (signals-store.pg-decide.ts).
              yield* client`SELECT pg_advisory_xact_lock(hashtextextended('decide:' || 'raced', 0))`
              yield* Deferred.succeed(locked, undefined)
              yield* Deferred.await(ordered)
              yield* client`
                INSERT INTO orders (id, client_order_id, account, strategy, intent, sizing, wanted, symbol, side, type, quantity,
                  time_in_force, status, source, venue)
                VALUES (${positionId("raced", "order")}, 'raced-1', 'raced', 'default', 'entry', 'fixed', 1, 'SPY', 'buy',
                  'market', 1, 'day', 'intended', 'webhook', 'practice')`
            })
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(locked)
        const removing = yield* refused({ removed: ["raced"] }).pipe(Effect.forkChild)
        yield* sql(
          (client) => client<{ readonly waits: boolean }>`
            SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted) AS waits`
        ).pipe(Effect.delay(5), Effect.repeat({ until: ([row]) => row?.waits === true }))
        yield* Deferred.succeed(ordered, undefined)
        yield* Fiber.join(deciding)
        assert.deepStrictEqual(yield* Fiber.join(removing), [
          "accounts.raced cannot be removed: it has 1 order intended"
        ])
        assert.isTrue(yield* mayOrder("raced"))
      })
    )
  }
)
