/** A flatten among writers that do not wait for it. */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { randomUUID } from "node:crypto"
import { Database } from "../../src/layers/database/database.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { freshSymbol, until } from "./execution-desk.ts"
import { fillOf, intend, own, permitOf, sql, world } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("a flatten among other writers", (it) => {
  it.effect("[K10] a flatten closes what was sent or opened while it waited for its locks", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const fills = yield* FillsStore
      const database = yield* Database
      const grant = yield* own()
      const sent = (symbol: string) =>
        Effect.gen(function* () {
          const submitted = yield* orders.submit(grant, yield* intend({ symbol }), permitOf())
          if (submitted._tag !== "Submitting") return assert.fail(submitted._tag)
          return submitted.order
        })
      const filled = (symbol: string) =>
        Effect.gen(function* () {
          const order = yield* sent(symbol)
          yield* fills.record("practice", fillOf(order, { quantity: order.quantity }))
          return order
        })
      const [kept, working, opened] = [freshSymbol(), freshSymbol(), freshSymbol()]
      yield* filled(kept)
      const gate = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const holder = yield* database
        .transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`SELECT id FROM positions WHERE symbol = ${kept} FOR UPDATE`
            yield* Deferred.succeed(closed, undefined)
            yield* Deferred.await(gate)
          })
        )
        .pipe(Effect.forkChild)
      yield* Deferred.await(closed)
      const flatten = yield* Effect.forkChild(
        OrderCommands.use((store) =>
          store.flatten("paper-1", { commandId: randomUUID(), source: "api" }, "out")
        )
      )
      yield* until(
        "the flatten waits",
        sql((client) =>
          Effect.map(
            client`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
            ({ length }) => length === 1
          )
        )
      )
      yield* orders.apply(grant, yield* sent(working), "order.acked", { venueOrderId: `v-${working}` })
      yield* filled(opened)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(holder)
      const flattened = yield* Fiber.join(flatten)
      if (flattened._tag !== "Flattened") return assert.fail(flattened._tag)
      const closes = flattened.orders
        .filter(({ intent, symbol }) => intent === "reduce" && [kept, working, opened].includes(symbol))
        .map(({ symbol }) => symbol)
      assert.sameMembers(closes, [kept, opened, working])
    })
  )
})
