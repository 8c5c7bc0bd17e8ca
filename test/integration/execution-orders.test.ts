import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { Database } from "../../src/layers/database/database.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { BLOCKS_SYMBOL, type OrderEvent } from "../../src/domain/orders/order.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { anAlert, fillOf, history, intend, openLong, own, permitOf, sql, world } from "./execution-world.ts"

const unreachable = (): never => {
  throw new Error("the assertion before this one failed")
}

layer(world(), { excludeTestServices: true })("steps of an order", (it) => {
  const clear = sql((client) =>
    Effect.all([
      client`UPDATE orders SET status = 'denied' WHERE status <> 'denied'`,
      client`UPDATE trading_state SET state = 'ACTIVE'`
    ])
  )

  it.effect("a submit counts the send, stamps it with the fence and writes its event", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend()
      const submitted = yield* orders.submit(grant, order, permitOf())
      assert.strictEqual(submitted._tag, "Submitting")
      if (submitted._tag !== "Submitting") return
      assert.strictEqual(submitted.order.status, "submitting")
      assert.strictEqual(submitted.order.sends, 1)
      assert.strictEqual(submitted.order.fence, grant.fence)
      assert.instanceOf(submitted.order.sentAt, Date)
      assert.deepStrictEqual(yield* history(order.id), ["order.submitted intended>submitting"])
      assert.deepStrictEqual(
        yield* orders.submit(grant, order, permitOf()),
        { _tag: "NotSubmitted", why: "status_changed" },
        "a second sender of the same intent gets nothing"
      )
    })
  )

  it.effect(
    "a submit is refused when the lease is over on the database's clock, though the fence is current",
    () =>
      Effect.gen(function* () {
        const orders = yield* OrdersStore
        const grant = yield* own()
        const order = yield* intend()
        yield* sql(
          (client) => client`UPDATE accounts SET lease_until = now() - interval '1 ms' WHERE id = 'paper-1'`
        )
        assert.deepStrictEqual(yield* orders.submit(grant, order, permitOf()), {
          _tag: "NotSubmitted",
          why: "lease_over"
        })
      })
  )

  it.effect("[K3 stale] an intent past its validity is handed out to expire and never submitted", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ validMs: -1 })
      const young = yield* intend({ validMs: 60_000 })
      const next = yield* orders.next("paper-1")
      assert.deepStrictEqual([next?.order.id, next?.work], [order.id, "expire"])
      assert.deepInclude(yield* orders.submit(grant, order, permitOf()), {
        _tag: "NotPermitted",
        permit: { _tag: "Expire", code: "stale", numbers: {} }
      })
      assert.isNull(
        yield* orders.expireStale({ ...grant, fence: grant.fence - 1n }, anAlert),
        "an older fence ends nothing"
      )
      const expired = yield* orders.expireStale(grant, anAlert)
      assert.deepStrictEqual(
        expired?.map(({ id, status, sends }) => [id, status, sends]),
        [[order.id, "expired_unsent", 0]]
      )
      assert.deepStrictEqual(yield* history(order.id), ["order.expired_unsent intended>expired_unsent"])
      assert.strictEqual((yield* orders.next("paper-1"))?.order.id, young.id)
      assert.deepStrictEqual(yield* orders.expireStale(grant, anAlert), [])
    })
  )

  it.effect(
    "[T5] what was sent before is as stale as anything else: an operator's word is judged now as well",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        const grant = yield* own()
        const order = yield* intend({ validMs: -1 })
        yield* sql((client) => client`UPDATE orders SET sends = 1 WHERE id = ${order.id}`)
        assert.strictEqual((yield* orders.next("paper-1"))?.work, "expire")
        assert.strictEqual((yield* orders.submit(grant, order, permitOf()))._tag, "NotPermitted")
        assert.deepStrictEqual(
          (yield* orders.expireStale(grant, anAlert))?.map(({ id }) => id),
          [order.id]
        )
      })
  )

  it.effect("only cancels, reduces and what is stale are handed out when no exposure may be taken", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      yield* own()
      const entry = yield* intend({ symbol: "ENTRY" })
      const only = Effect.map(orders.next("paper-1", { reducesOnly: true }), (found) => found?.work ?? null)
      assert.isNull(yield* only)
      yield* sql((client) => client`UPDATE orders SET valid_until = now() WHERE id = ${entry.id}`)
      assert.strictEqual(yield* only, "expire")
      yield* sql((client) => client`UPDATE orders SET status = 'pending_cancel' WHERE id = ${entry.id}`)
      assert.strictEqual(yield* only, "cancel")
    })
  )

  it.effect("two thousand orders that wait do not slow down the choice of the next one", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const grant = yield* own()
      const first = yield* intend({ symbol: "BURST0" })
      yield* sql(
        (client) => client`
          INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity,
            time_in_force, status, source, venue, signal_id, leg)
          SELECT gen_random_uuid(), 'burst-' || n, 'paper-1', 'default', 'entry', 'BURST' || n, 'buy', 'market', 1,
            'day', 'intended', 'webhook', 'practice', ${first.signalId}, n FROM generate_series(1, 1999) n`
      )
      const took: Array<number> = []
      for (let look = 0; look < 5; look += 1) {
        const began = performance.now()
        assert.strictEqual((yield* orders.next("paper-1"))?.order.id, first.id)
        took.push(performance.now() - began)
      }
      // Quadratic in what waits, each look took seconds; linear it takes some ten milliseconds. The best one is not the machine's.
      assert.isBelow(Math.min(...took), 400)
      yield* sql(
        (client) =>
          client`UPDATE orders SET valid_until = now() WHERE symbol LIKE 'BURST%' AND status = 'intended'`
      )
      const backlog = (yield* orders.backlog(["paper-1", "paper-2"])).get("paper-1")
      assert.strictEqual(backlog?.waiting, 2_000)
      assert.isAbove(backlog?.oldestMs ?? 0, 0)
      let expired = 0
      for (;;) {
        const some = (yield* orders.expireStale(grant, anAlert)) ?? []
        if (some.length === 0) break
        expired += some.length
      }
      assert.strictEqual(expired, 2_000)
    })
  )

  it.effect(
    "[T6 trading state] HALTED lets nothing out, REDUCING only reduces, and an account's own state counts",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        const grant = yield* own()
        const order = yield* intend()
        yield* sql((client) => client`UPDATE trading_state SET state = 'REDUCING' WHERE scope = 'global'`)
        assert.isNull(yield* orders.next("paper-1"))
        const refused = yield* orders.submit(grant, order, permitOf())
        assert.deepInclude(refused._tag === "NotPermitted" ? refused.permit : {}, {
          _tag: "Hold",
          code: "trading_reducing"
        })
        assert.deepInclude(refused, { ended: null }, "it may still go")
        yield* sql((client) => client`UPDATE trading_state SET state = 'ACTIVE' WHERE scope = 'global'`)
        yield* sql(
          (client) => client`INSERT INTO trading_state (scope, state, reason, changed_by)
          VALUES ('account:paper-1', 'HALTED', 'r', 't')`
        )
        assert.isNull(yield* orders.next("paper-1"))
        yield* sql((client) => client`DELETE FROM trading_state WHERE scope = 'account:paper-1'`)
        assert.strictEqual((yield* orders.next("paper-1"))?.order.id, order.id)
      })
  )

  it.effect("[T6 trading state] a halt hands out no close but an operator's, reducing every close", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const { exit } = yield* openLong("CLOSED1", "2")
      yield* orders.intendExit(exit)
      const state = (name: string) =>
        sql((client) => client`UPDATE trading_state SET state = ${name} WHERE scope = 'global'`)
      const next = Effect.map(orders.next("paper-1"), (found) => found?.order.exitKind ?? null)
      yield* state("REDUCING")
      assert.strictEqual(yield* next, "stop_loss")
      yield* state("HALTED")
      assert.isNull(yield* next, "it waits, and is not taken up again and again to be held")
      yield* sql((client) => client`UPDATE orders SET exit_kind = 'operator' WHERE intent = 'reduce'`)
      assert.strictEqual(yield* next, "operator")
      yield* state("ACTIVE")
    })
  )

  it.effect(
    "what a halt held is released when trading is active again, and expires when it became stale",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        yield* own()
        const held = yield* intend({ symbol: "HELD1" })
        const stale = yield* intend({ symbol: "HELD2", validMs: -1 })
        yield* sql(
          (client) => client`UPDATE orders SET status = 'held' WHERE id IN (${held.id}, ${stale.id})`
        )
        yield* sql((client) => client`UPDATE trading_state SET state = 'HALTED' WHERE scope = 'global'`)
        const next = Effect.map(orders.next("paper-1"), (found) => [found?.order.symbol, found?.work])
        assert.deepStrictEqual(yield* next, ["HELD2", "expire"])
        yield* sql((client) => client`UPDATE orders SET status = 'expired_unsent' WHERE id = ${stale.id}`)
        assert.deepStrictEqual(yield* next, [undefined, undefined])
        yield* sql((client) => client`UPDATE trading_state SET state = 'ACTIVE' WHERE scope = 'global'`)
        assert.deepStrictEqual(yield* next, ["HELD1", "release"])
      })
  )

  it.effect("[T6] an unresolved order blocks new exposure in its symbol and in no other", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const grant = yield* own()
      const first = yield* intend({ symbol: "AAA" })
      const blocked = yield* intend({ symbol: "AAA" })
      const free = yield* intend({ symbol: "BBB" })
      const submitted = yield* orders.submit(grant, first, permitOf())
      assert.isTrue(submitted._tag === "Submitting")
      if (submitted._tag !== "Submitting") return
      for (const event of ["order.outcome_lost", "order.lookup_started", "order.escalated"] as const) {
        yield* orders.apply(grant, (yield* orders.byId(first.id)) ?? first, event)
        assert.strictEqual((yield* orders.next("paper-1"))?.order.id, free.id, event)
      }
      yield* orders.apply(grant, (yield* orders.byId(first.id)) ?? first, "order.rejected", {
        venueFilled: "0"
      })
      assert.strictEqual(
        (yield* orders.next("paper-1"))?.order.id,
        blocked.id,
        "its symbol is free again, oldest first"
      )
    })
  )

  it.effect(
    "[T6] an unresolved order blocks a close of its symbol and side, and none of the other side",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        const { exit } = yield* openLong("CCC", "5")
        const intended = yield* orders.intendExit(exit)
        if (intended._tag !== "Intended") return unreachable()
        const other = yield* intend({ symbol: "CCC" })
        const chosen = Effect.map(orders.next("paper-1"), (work) => work?.order.id)
        for (const status of BLOCKS_SYMBOL)
          for (const side of ["buy", "sell"]) {
            yield* sql(
              (client) => client`UPDATE orders SET status = ${status}, side = ${side} WHERE id = ${other.id}`
            )
            assert.strictEqual(
              yield* chosen,
              side === "buy" ? intended.order.id : undefined,
              `${side} ${status}`
            )
          }
      })
  )

  it.effect("an event the table refuses is stored as illegal and moves nothing", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend()
      const outcome = yield* orders.apply(grant, order, "order.filled")
      assert.strictEqual(outcome._tag, "Illegal")
      assert.strictEqual((yield* orders.byId(order.id))?.status, "intended")
      assert.deepStrictEqual(yield* history(order.id), ["order.filled intended>intended !"])
    })
  )

  it.effect("a rejection without fills is settled at once", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend()
      const submitted = yield* orders.submit(grant, order, permitOf())
      const known = submitted._tag === "Submitting" ? submitted.order : order
      const moved = yield* orders.apply(grant, known, "order.rejected", {
        reason: "no money",
        venueFilled: "0"
      })
      assert.isTrue(
        moved._tag === "Moved" && moved.order.settledAt !== null && moved.order.reason === "no money"
      )
    })
  )

  it.effect("a reason ends with the status it explains: a step and a fill leave none behind", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const fills = yield* FillsStore
      const grant = yield* own()
      const intended = yield* intend({ symbol: "WHY" })
      const reasons: Array<string | null> = []
      const step = (order: StoredOrder, event: OrderEvent, reason?: string) =>
        Effect.gen(function* () {
          const moved = yield* orders.apply(grant, order, event, reason === undefined ? {} : { reason })
          if (moved._tag !== "Moved") return unreachable()
          reasons.push(moved.order.reason)
          return moved.order
        })
      const held = yield* step(intended, "order.held", "trading_halted")
      const submitted = yield* orders.submit(grant, yield* step(held, "order.released"), permitOf())
      if (submitted._tag !== "Submitting") return unreachable()
      const unknown = yield* step(submitted.order, "order.outcome_lost", "no answer within 4000 ms")
      const resolving = yield* step(unknown, "order.lookup_started")
      assert.deepStrictEqual(reasons, [
        "trading_halted",
        null,
        "no answer within 4000 ms",
        "no answer within 4000 ms"
      ])
      yield* fills.record("practice", fillOf(resolving))
      const filled = yield* orders.byId(resolving.id)
      assert.deepStrictEqual([filled?.status, filled?.reason], ["filled", null])
      return undefined
    })
  )

  it.effect("an ack that comes after the fill keeps the fill and stores the venue's id", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const fills = yield* FillsStore
      const grant = yield* own()
      const order = yield* intend({ symbol: "LATE" })
      const submitted = yield* orders.submit(grant, order, permitOf())
      assert.isTrue(submitted._tag === "Submitting")
      if (submitted._tag !== "Submitting") return
      yield* fills.record("practice", fillOf(order))
      const moved = yield* orders.apply(grant, submitted.order, "order.acked", {
        venueOrderId: `v-${order.clientOrderId}`
      })
      assert.isTrue(moved._tag === "Unchanged" && moved.order.status === "filled")
    })
  )

  it.effect("orders in submitting are unresolved, with whoever sent them", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol: "ORPHAN" })
      yield* orders.submit(grant, order, permitOf())
      assert.deepStrictEqual(
        (yield* orders.unresolved("paper-1")).map((found) => found.order.id),
        [order.id]
      )
    })
  )

  it.effect("[T4 FOR SHARE] no takeover slips between the fence check and the write of a step", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const accounts = yield* AccountsStore
      const database = yield* Database
      const grant = yield* own()
      const order = yield* intend({ symbol: "RACE" })
      const locked = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      // Somebody holds the order's row, so that the step has checked the fence and cannot write yet.
      const holder = yield* Effect.forkChild(
        database.transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`SELECT id FROM orders WHERE id = ${order.id} FOR UPDATE`
            yield* Deferred.succeed(locked, undefined)
            yield* Deferred.await(release)
          })
        )
      )
      yield* Deferred.await(locked)
      const step = yield* Effect.forkChild(orders.apply(grant, order, "order.held"))
      const waiting = (many: number) =>
        Effect.repeat(
          sql(
            (client) => client<{ readonly n: bigint }>`SELECT count(*) AS n FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'`
          ),
          { until: ([row]) => (row?.n ?? 0n) >= BigInt(many), times: 20_000 }
        )
      yield* waiting(1)
      const takeover = yield* Effect.forkChild(accounts.take("paper-1", "node-a/boot"))
      const [blocked] = yield* waiting(2)
      assert.strictEqual(blocked?.n, 2n, "the takeover waits for the step that has seen the old fence")
      assert.isUndefined(takeover.pollUnsafe())
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(holder)
      assert.strictEqual((yield* Fiber.join(step))._tag, "Moved")
      assert.strictEqual((yield* Fiber.join(takeover))._tag, "Taken")
    })
  )

  it.effect("[T4] a takeover while a submit waits for the rows it judges leaves it nothing to send", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const accounts = yield* AccountsStore
      const database = yield* Database
      const grant = yield* own()
      const order = yield* intend({ symbol: "RACE2" })
      const locked = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(
        database.transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`SELECT id FROM orders WHERE id = ${order.id} FOR UPDATE`
            yield* Deferred.succeed(locked, undefined)
            yield* Deferred.await(release)
          })
        )
      )
      yield* Deferred.await(locked)
      const submit = yield* Effect.forkChild(orders.submit(grant, order, permitOf()))
      assert.strictEqual((yield* accounts.take("paper-1", grant.owner))._tag, "Taken")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(holder)
      // By which of its guards it is refused depends on what it had read; sent it is by none.
      assert.notStrictEqual((yield* Fiber.join(submit))._tag, "Submitting")
      assert.deepInclude(yield* orders.byId(order.id), { status: "intended", sends: 0 })
    })
  )

  it.effect("[T4 exits] a position has one live exit at a time, however many monitors want one", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { exit, grant } = yield* openLong("EXIT1", "5")
      const outcomes = yield* Effect.all(
        Array.from({ length: 8 }, () => orders.intendExit(exit)),
        { concurrency: "unbounded" }
      )
      const intended = outcomes.flatMap((outcome) => (outcome._tag === "Intended" ? [outcome.order] : []))
      assert.strictEqual(intended.length, 1)
      assert.deepInclude(intended[0], {
        side: "sell",
        quantity: "5",
        intent: "reduce",
        source: "exit_monitor"
      })
      assert.strictEqual(intended[0]?.exitNumber, 1)
      yield* orders.apply(grant, intended[0] ?? unreachable(), "order.denied", { reason: "test" })
      const second = yield* orders.intendExit(exit)
      assert.isTrue(second._tag === "Intended" && second.order.exitNumber === 2)
      assert.isTrue(second._tag === "Intended" && second.order.clientOrderId !== intended[0]?.clientOrderId)
    })
  )

  it.effect(
    "[T6 reduce] the quantity sent is what the broker confirms when it is submitted, never more",
    () =>
      Effect.gen(function* () {
        const orders = yield* OrdersStore
        const positions = yield* PositionsStore
        const { exit, grant } = yield* openLong("EXIT2", "5")
        const intended = yield* orders.intendExit(exit)
        assert.isTrue(intended._tag === "Intended")
        if (intended._tag !== "Intended") return
        yield* positions.confirm(grant, [{ symbol: "EXIT2", quantity: "3" }])
        const submitted = yield* orders.submit(grant, intended.order, permitOf())
        assert.isTrue(submitted._tag === "Submitting" && submitted.order.quantity === "3")
      })
  )

  it.effect("[T6 reduce] what other orders of the same side may still take is not sold again", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { exit, grant } = yield* openLong("EXIT3", "5")
      const other = yield* intend({ symbol: "EXIT3", side: "sell", quantity: "4" })
      const sent = yield* orders.submit(grant, other, permitOf())
      assert.isTrue(sent._tag === "Submitting")
      if (sent._tag === "Submitting") yield* orders.apply(grant, sent.order, "order.acked")
      const intended = yield* orders.intendExit(exit)
      assert.isTrue(intended._tag === "Intended")
      if (intended._tag !== "Intended") return
      const submitted = yield* orders.submit(grant, intended.order, permitOf())
      assert.isTrue(submitted._tag === "Submitting" && submitted.order.quantity === "1")
    })
  )

  for (const [name, confirmed] of [
    ["flat", "0"],
    ["short", "-5"]
  ] as const) {
    it.effect(`[T6 reduce] a reduce never flips: nothing is sent when the broker is ${name}`, () =>
      Effect.gen(function* () {
        const orders = yield* OrdersStore
        const positions = yield* PositionsStore
        const symbol = `EXIT4-${name}`
        const { exit, grant } = yield* openLong(symbol, "5")
        const intended = yield* orders.intendExit(exit)
        assert.isTrue(intended._tag === "Intended")
        if (intended._tag !== "Intended") return
        yield* positions.confirm(grant, [{ symbol, quantity: confirmed }])
        const refused = yield* orders.submit(grant, intended.order, permitOf())
        assert.deepInclude(refused._tag === "NotPermitted" ? refused.permit : {}, {
          _tag: "Withdraw",
          code: "nothing_to_close"
        })
        assert.deepInclude(refused._tag === "NotPermitted" ? refused.ended : {}, {
          id: intended.order.id,
          status: "withdrawn"
        })
      })
    )
  }

  it.effect(
    "reduces go before entries, and an unresolved entry does not hold the stop of its symbol back",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        const { exit, grant } = yield* openLong("EXIT5", "2")
        const unknown = yield* intend({ symbol: "EXIT5" })
        const sent = yield* orders.submit(grant, unknown, permitOf())
        if (sent._tag === "Submitting") yield* orders.apply(grant, sent.order, "order.outcome_lost")
        yield* intend({ symbol: "ELSE" })
        const intended = yield* orders.intendExit(exit)
        assert.isTrue(intended._tag === "Intended")
        if (intended._tag !== "Intended") return
        assert.strictEqual((yield* orders.next("paper-1"))?.order.id, intended.order.id)
        yield* sql((client) => client`UPDATE trading_state SET state = 'REDUCING'`)
        assert.strictEqual(
          (yield* orders.next("paper-1"))?.order.id,
          intended.order.id,
          "REDUCING lets it pass"
        )
        yield* clear
      })
  )

  it.effect("the exit of an old opening is not submitted against the next one", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { exit, grant, id } = yield* openLong("EXIT6", "2")
      const intended = yield* orders.intendExit(exit)
      assert.isTrue(intended._tag === "Intended")
      if (intended._tag !== "Intended") return
      yield* sql((client) => client`UPDATE positions SET epoch = 2 WHERE id = ${id}`)
      assert.strictEqual((yield* orders.submit(grant, intended.order, permitOf()))._tag, "NotPermitted")
      assert.strictEqual((yield* orders.intendExit(exit))._tag, "NotNeeded")
    })
  )
})
