/** A client order id is only unique within its account: another account's order does not affect ours. */
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { MemoryBroker } from "../support/broker.memory.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import {
  freshSymbol,
  makeVenue,
  scenario,
  startNode,
  statusOf,
  until,
  untilStatus
} from "./execution-desk.ts"
import { fillOf, history, intend, own, sql, world } from "./execution-world.ts"

/** An order of `account` at the venue that bears the client order id of `order`. */
const namesake = (venue: MemoryBroker, account: string, order: StoredOrder) =>
  venue.book.create(
    {
      clientOrderId: order.clientOrderId,
      account,
      symbol: order.symbol,
      side: "buy",
      type: "market",
      quantity: order.quantity,
      limitPrice: null,
      stopPrice: null,
      timeInForce: "day"
    },
    new Date()
  )

const aboutOrders = (kinds: ReadonlyArray<string>) => kinds.filter((kind) => kind.startsWith("order."))

layer(world(), { excludeTestServices: true })(
  "another account's order with the same client order id",
  (it) => {
    const both = Effect.gen(function* () {
      yield* own("paper-1")
      yield* own("paper-2")
      yield* sql((client) => client`UPDATE accounts SET fills_cursor = NULL`)
    })

    it.effect("ends, and ours stays open", () =>
      scenario(
        Effect.gen(function* () {
          const venue = makeVenue()
          venue.holdFills(true)
          yield* both
          const order = yield* intend({ symbol: freshSymbol() })
          const node = yield* startNode(venue, { accounts: ["paper-1", "paper-2"] })
          yield* untilStatus(order, "acked")
          const untouched = yield* history(order.id)
          const other = namesake(venue, "paper-2", order)
          assert.strictEqual(other._tag, "Created")
          if (other._tag !== "Created") return
          venue.book.end(other.order.venueOrderId, "cancelled", new Date())
          // A later order of ours has passed the same stream: what came before it was read.
          const later = yield* intend({ symbol: freshSymbol() })
          yield* untilStatus(later, "acked")
          yield* Effect.sleep(100)
          assert.strictEqual(yield* statusOf(order), "acked")
          assert.deepStrictEqual(yield* history(order.id), untouched)
          assert.deepStrictEqual(aboutOrders(yield* node.alerts), [])
        })
      )
    )

    it.effect("is filled, and the fill is nobody's of ours", () =>
      scenario(
        Effect.gen(function* () {
          yield* both
          const fills = yield* FillsStore
          const order = yield* intend({ symbol: freshSymbol() })
          const recorded = yield* fills.record(
            "practice",
            fillOf({ ...order, side: "buy" }, { account: "paper-2", tradeId: `foreign-${order.id}` })
          )
          assert.strictEqual(recorded._tag, "Recorded")
          if (recorded._tag === "Recorded") assert.isNull(recorded.order)
          const orders = yield* OrdersStore
          assert.strictEqual((yield* orders.byId(order.id))?.filledQuantity, "0")
        })
      )
    )

    it.effect("is open when its account reconciles, and ours is not adopted by it", () =>
      scenario(
        Effect.gen(function* () {
          const venue = makeVenue()
          venue.holdFills(true)
          yield* both
          const order = yield* intend({ symbol: freshSymbol() })
          namesake(venue, "paper-2", order)
          // Only the other account is executed here, so nobody sends ours.
          const node = yield* startNode(venue, { accounts: ["paper-2"] })
          // Its row says "reconciled" from before, until the node takes it.
          yield* until(
            "reconciled",
            Effect.sync(() => node.state("paper-2") === "Owning.Idle")
          )
          assert.strictEqual(node.restarts("paper-2"), 0)
          assert.strictEqual(yield* statusOf(order), "intended")
          const found = yield* OrdersStore.use((orders) => orders.byId(order.id))
          assert.isNull(found?.venueOrderId ?? null)
          assert.deepStrictEqual(yield* history(order.id), [])
          assert.deepStrictEqual(aboutOrders(yield* node.alerts), [])
        })
      )
    )
  }
)
