import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  scenario,
  startNode,
  until,
  untilStatus
} from "./execution-desk.ts"
import {
  history,
  intend,
  openNode,
  own,
  sql,
  testSettings,
  world,
  type WorldServices
} from "./execution-world.ts"

const settings = testSettings()
const { strategies } = settings

/** As a reload that leaves a strategy out, or puts it back. */
const removePlain = Effect.sync(() => {
  const { plain: _plain, ...left } = strategies
  Object.assign(settings, { strategies: left })
})
const shadowPlain = Effect.sync(() => {
  const { plain } = strategies
  Object.assign(settings, { strategies: { ...strategies, plain: { ...plain, stage: "shadow" } } })
})
const putBack = Effect.sync(() => void Object.assign(settings, { strategies }))

const breaker = (id: string) => ({
  begin: sql(
    (client) =>
      client`INSERT INTO circuit_breakers (id, state, changed_by) VALUES (${id}, 'OPEN', 'test')
      ON CONFLICT (id) DO UPDATE SET state = 'OPEN'`
  ),
  end: sql((client) => client`UPDATE circuit_breakers SET state = 'CLOSED' WHERE id = ${id}`)
})
const demoted = (stage: string) =>
  sql(
    (client) =>
      client`INSERT INTO strategy_stages (strategy, stage, changed_by) VALUES ('plain', ${stage}, 'test')
      ON CONFLICT (strategy) DO UPDATE SET stage = ${stage}`
  )
const enabled = (is: boolean) =>
  sql((client) => client`UPDATE accounts SET enabled = ${is} WHERE id = 'paper-1'`)
const trading = (state: string) =>
  sql((client) => client`UPDATE trading_state SET state = ${state} WHERE scope = 'global'`)

const causes = [
  { what: "the breaker of its strategy opens", why: "breaker_open", ...breaker("strategy:plain") },
  { what: "the breaker of its broker opens", why: "breaker_open", ...breaker("broker:practice") },
  { what: "its account is disabled", why: "account_disabled", begin: enabled(false), end: enabled(true) },
  { what: "its strategy is removed", why: "strategy_removed", begin: removePlain, end: putBack },
  {
    what: "its strategy is demoted",
    why: "strategy_shadow",
    begin: demoted("shadow"),
    end: demoted("live")
  },
  { what: "its strategy becomes a shadow", why: "strategy_shadow", begin: shadowPlain, end: putBack },
  { what: "trading is HALTED", why: "trading_stopped", begin: trading("HALTED"), end: trading("ACTIVE") },
  { what: "trading is REDUCING", why: "trading_stopped", begin: trading("REDUCING"), end: trading("ACTIVE") }
] as const

layer(world(settings), { excludeTestServices: true })("entries that could no longer be sent", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))
  const setStatus = (id: string, status: string) =>
    sql((client) => client`UPDATE orders SET status = ${status} WHERE id = ${id}`)
  const rowOf = (id: string) =>
    Effect.map(
      OrdersStore.use((orders) => orders.byId(id)),
      (order) => [order?.status, order?.reason]
    )

  for (const { begin, end, what, why } of causes)
    test(
      `[T6] one that rests is cancelled at the venue when ${what}; a close that rests stays`,
      Effect.gen(function* () {
        const venue = makeVenue()
        const symbol = freshSymbol()
        const held = freshSymbol()
        yield* own()
        for (const name of [symbol, held]) venue.setPrice(name, "100")
        const node = yield* startNode(venue)
        const place = (options: Parameters<typeof intend>[0]) =>
          Effect.tap(intend({ strategy: "plain", time: "gtc", ...options }), () =>
            node.ring("orders:paper-1")
          )
        yield* untilStatus(yield* place({ symbol: held }), "filled")
        const close = yield* place({ symbol: held, side: "sell", closes: "1", limit: "120" })
        yield* untilStatus(close, "acked")
        const entry = yield* place({ symbol, limit: "95" })
        yield* untilStatus(entry, "acked")
        yield* Effect.ensuring(
          Effect.gen(function* () {
            yield* begin
            yield* node.ring("orders:paper-1")
            yield* untilStatus(entry, "cancelled")
            yield* untilStatus(close, "acked")
          }),
          end
        )
        assert.deepStrictEqual((yield* history(entry.id)).slice(-2), [
          "order.cancel_requested acked>pending_cancel",
          "order.cancelled pending_cancel>cancelled"
        ])
        const [asked] = yield* sql(
          (client) =>
            client<{ readonly why: string }>`SELECT detail ->> 'reason' AS why FROM order_events
            WHERE order_id = ${entry.id} AND event = 'order.cancel_requested'`
        )
        assert.strictEqual(asked?.why, why)
        const open = venue.book.orders("paper-1").filter(({ status }) => status === "open")
        assert.deepStrictEqual(
          open.map(({ clientOrderId }) => clientOrderId),
          [close.clientOrderId]
        )
      })
    )

  test(
    "[T5 K3] one that waits ends: of a removed strategy at once, of a removed account when its time is over",
    Effect.gen(function* () {
      yield* own()
      yield* openNode("node-b")
      yield* sql(
        (client) => client`
        INSERT INTO accounts (id, venue, starting_cash, owner, lease_until) VALUES
          ('gone', 'practice', 1, NULL, NULL), ('elsewhere', 'practice', 1, 'node-b/boot', 'infinity')`
      )
      const over = yield* intend({ account: "gone", validMs: -1 })
      const young = yield* intend({ account: "gone", validMs: 600_000 })
      const others = yield* intend({ account: "elsewhere", validMs: -1 })
      const waiting = yield* intend({ strategy: "plain", validMs: 600_000 })
      const close = yield* intend({ strategy: "plain", closes: "1", side: "sell" })
      for (const { id } of [over, waiting]) yield* setStatus(id, "held")
      yield* setStatus(close.id, "held")
      yield* Effect.ensuring(
        Effect.gen(function* () {
          yield* removePlain
          yield* trading("HALTED")
          yield* startNode(makeVenue(), { reconciler: true })
          yield* untilStatus(over, "expired_unsent")
          yield* untilStatus(waiting, "denied")
        }),
        Effect.andThen(putBack, trading("ACTIVE"))
      )
      assert.deepStrictEqual(yield* rowOf(over.id), ["expired_unsent", "account_removed"])
      assert.deepStrictEqual(yield* rowOf(waiting.id), ["denied", "strategy_removed"])
      assert.deepStrictEqual(yield* history(over.id), ["order.expired_unsent held>expired_unsent"])
      assert.strictEqual((yield* rowOf(young.id))[0], "intended")
      assert.strictEqual((yield* rowOf(others.id))[0], "intended")
      assert.strictEqual((yield* rowOf(close.id))[0], "held")
      yield* until(
        "the alert is committed",
        Effect.map(committedAlerts, (keys) =>
          keys.includes("order.unconfigured:account gone, strategy plain")
        )
      )
    })
  )
})
