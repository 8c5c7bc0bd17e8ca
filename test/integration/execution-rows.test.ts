/** What is next to an order in the rows, and what it may do there: other orders, its position, the states of trading. */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { ageLimits } from "../../src/domain/kernel/limits-signals.ts"
import type { OrderEvent } from "../../src/domain/orders/order.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { anAlert, fillOf, intend, openLong, own, permitOf, sql, world } from "./execution-world.ts"

const unreachable = (): never => {
  throw new Error("the assertion before this one failed")
}

layer(world(), { excludeTestServices: true })("rows beside an order", (it) => {
  const clear = sql((client) => client`UPDATE orders SET status = 'denied' WHERE status <> 'denied'`)

  it.effect(
    "an account is rung for whatever waits in it, what is held as well, and for what is unresolved",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        yield* own()
        const order = yield* intend({ symbol: "BUSY" })
        for (const [statuses, waiting, unresolved] of [
          [["intended", "held", "pending_cancel"], true, false],
          [["submitting", "unknown", "resolving"], false, true],
          [["acked", "partially_filled", "needs_operator", "filled"], undefined, undefined]
        ] as const) {
          for (const status of statuses) {
            yield* sql((client) => client`UPDATE orders SET status = ${status} WHERE id = ${order.id}`)
            const [busy] = yield* orders.busy(["paper-1"])
            assert.deepStrictEqual([busy?.waiting, busy?.unresolved], [waiting, unresolved], status)
          }
        }
        yield* clear
      })
  )

  it.effect("[T5 K9] a cancel that has no answer is wanted until its order goes out again", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol: "WISH" })
      const reread = Effect.map(orders.byId(order.id), (found) => found ?? unreachable())
      const wanted = Effect.map(orders.unresolved("paper-1"), ([one]) => one?.cancelWanted)
      yield* orders.submit(grant, order, permitOf())
      for (const event of ["order.acked", "order.cancel_requested", "order.outcome_lost"] as const)
        yield* orders.apply(grant, yield* reread, event)
      assert.isTrue(yield* wanted)
      yield* orders.apply(grant, yield* reread, "order.lookup_started")
      assert.strictEqual((yield* orders.submit(grant, yield* reread, permitOf()))._tag, "Submitting")
      assert.isFalse(yield* wanted)
    })
  )

  it.effect(
    "[T10 held] its own clock starts at the release, within its signal's; held too long, it says why",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        const grant = yield* own()
        const moved = (order: StoredOrder, event: OrderEvent) =>
          Effect.map(orders.apply(grant, order, event, { reason: "trading_halted" }), (outcome) =>
            outcome._tag === "Moved" ? outcome.order : unreachable()
          )
        for (const [signalMs, leftMs] of [
          [20_000, 20_000],
          [600_000, ageLimits.orderUnsentMsMax]
        ] as const) {
          const held = yield* moved(yield* intend({ symbol: "HELD3", validMs: signalMs }), "order.held")
          const released = yield* moved(held, "order.released")
          const left = (released.validUntil?.getTime() ?? 0) - Date.now()
          assert.isTrue(left > leftMs - 10_000 && left <= leftMs + 1_000, `${left} of ${leftMs} ms`)
        }
        const held = yield* moved(yield* intend({ symbol: "HELD4" }), "order.held")
        yield* sql((client) => client`UPDATE orders SET valid_until = now() WHERE id = ${held.id}`)
        assert.deepStrictEqual(
          (yield* orders.expireStale(grant, anAlert))?.map(({ id, reason }) => [id, reason]),
          [[held.id, "held too long: trading_halted"]]
        )
      })
  )

  it.effect(
    "[T6 reduce] what an order may still take whose cancel is under way is not sold again, whatever others overfilled",
    () =>
      Effect.gen(function* () {
        yield* clear
        const orders = yield* OrdersStore
        const { exit, grant } = yield* openLong("EXIT7", "5")
        for (const quantity of ["3", "1"]) {
          const other = yield* intend({ symbol: "EXIT7", side: "sell", quantity })
          const sent = yield* orders.submit(grant, other, permitOf())
          if (sent._tag !== "Submitting") return unreachable()
          yield* orders.apply(grant, sent.order, "order.acked")
          yield* orders.apply(
            grant,
            (yield* orders.byId(other.id)) ?? unreachable(),
            "order.cancel_requested"
          )
          // The venue filled more of the second than was ordered: that is none of the first one's remainder.
          if (quantity === "1")
            yield* sql((client) => client`UPDATE orders SET filled_quantity = 2 WHERE id = ${other.id}`)
        }
        const intended = yield* orders.intendExit(exit)
        if (intended._tag !== "Intended") return unreachable()
        const submitted = yield* orders.submit(grant, intended.order, permitOf())
        assert.isTrue(submitted._tag === "Submitting" && submitted.order.quantity === "2")
        return undefined
      })
  )

  it.effect("[T10 close] a fill under way is waited for by the reduce that it bounds", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const database = yield* Database
      const { exit, grant, id } = yield* openLong("RACE3", "5")
      const intended = yield* orders.intendExit(exit)
      if (intended._tag !== "Intended") return unreachable()
      const locked = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const filling = yield* Effect.forkChild(
        database.transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`UPDATE positions SET quantity = 2, confirmed_quantity = 2 WHERE id = ${id}`
            yield* client`UPDATE position_shares SET quantity = 2 WHERE position_id = ${id}`
            yield* Deferred.succeed(locked, undefined)
            yield* Deferred.await(release)
          })
        )
      )
      yield* Deferred.await(locked)
      const submit = yield* Effect.forkChild(orders.submit(grant, intended.order, permitOf()))
      yield* Effect.repeat(
        sql(
          (client) => client<{ readonly n: bigint }>`SELECT count(*) AS n FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'`
        ),
        { until: ([row]) => row?.n === 1n || submit.pollUnsafe() !== undefined, times: 20_000 }
      )
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(filling)
      const submitted = yield* Fiber.join(submit)
      assert.isTrue(submitted._tag === "Submitting" && submitted.order.quantity === "2")
      return undefined
    })
  )

  it.effect("[T10 close] an opening is taken back by no exit, no denied close and no other strategy's", () =>
    Effect.gen(function* () {
      yield* clear
      const orders = yield* OrdersStore
      const { exit, grant } = yield* openLong("BACK1", "5")
      const goes = (order: StoredOrder) =>
        Effect.map(orders.submit(grant, order, permitOf()), ({ _tag }) => _tag)
      const beside = yield* intend({ symbol: "BACK1" })
      assert.strictEqual((yield* orders.intendExit(exit))._tag, "Intended")
      assert.strictEqual(yield* goes(beside), "Submitting", "an exit")
      for (const [symbol, strategy, status] of [
        ["BACK2", "plain", "intended"],
        ["BACK3", "default", "denied"]
      ] as const) {
        const opening = yield* intend({ symbol })
        const close = yield* intend({ symbol, strategy, side: "sell", closes: null })
        yield* sql((client) => client`UPDATE orders SET status = ${status} WHERE id = ${close.id}`)
        assert.strictEqual(yield* goes(opening), "Submitting", `${status}, of ${strategy}`)
      }
    })
  )

  it.effect(
    "[T10 refused close] what the venue refused of an opening that is over says nothing of the next",
    () =>
      Effect.gen(function* () {
        yield* clear
        const positions = yield* PositionsStore
        const fills = yield* FillsStore
        const { id } = yield* openLong("AGAIN", "2")
        const refused = Effect.map(
          positions.open(["paper-1"], null),
          (shares) => shares.find(({ symbol }) => symbol === "AGAIN")?.refused?.reason ?? null
        )
        const close = yield* intend({ symbol: "AGAIN", side: "sell", closes: null })
        yield* sql(
          (client) => client`UPDATE orders SET status = 'rejected', reason = 'no' WHERE id = ${close.id}`
        )
        assert.strictEqual(yield* refused, "no")
        yield* fills.record(
          "practice",
          fillOf({ clientOrderId: null, symbol: "AGAIN", side: "sell" }, { quantity: "2" })
        )
        const entry = yield* intend({ symbol: "AGAIN", quantity: "2" })
        yield* fills.record("practice", fillOf(entry, { quantity: "2" }))
        assert.isNull(yield* refused)
        // A look that read the opening before this one arms nothing with its average.
        const prices = {
          stopPct: "2",
          targetPct: null,
          stopPrice: "1",
          targetPrice: null,
          terms: null,
          best: null,
          stopBy: null
        }
        const [share] = yield* sql(
          (client) => client<{ readonly opening: string }>`
            SELECT opened_seq::text AS opening FROM position_shares WHERE position_id = ${id} AND strategy = 'default'`
        )
        const opening = share?.opening ?? assert.fail("it is open")
        const armed = (epoch: number, of: string) =>
          positions.arm({ positionId: id, strategy: "default", epoch, opening: of, ...prices })
        assert.deepStrictEqual([yield* armed(1, opening), yield* armed(2, opening)], [false, true])
        // Beside another strategy's share the position stays what it was while this one closed and opened again.
        assert.isFalse(yield* armed(2, String(BigInt(opening) - 1n)))
      })
  )

  it.effect("[T10 disputed] a dispute outlasts the look of a reduce, and ends when the venue agrees", () =>
    Effect.gen(function* () {
      const positions = yield* PositionsStore
      const grant = yield* own()
      const disputed = sql((client) =>
        Effect.map(
          client<{ readonly disputed: boolean }>`
            SELECT disputed_at IS NOT NULL AS disputed FROM positions WHERE symbol = 'DISPUTE'`,
          ([row]) => row?.disputed
        )
      )
      const said = [{ symbol: "DISPUTE", quantity: "3" }]
      yield* positions.confirm(grant, said)
      assert.isFalse(yield* disputed, "all fills were not asked for yet")
      yield* positions.confirm(grant, said, true)
      yield* positions.confirm(grant, said)
      assert.isTrue(yield* disputed)
      yield* positions.confirm(grant, [])
      assert.isFalse(yield* disputed)
    })
  )
})
