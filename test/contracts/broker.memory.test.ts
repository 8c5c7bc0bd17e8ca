import { describe } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { makeMemoryBroker } from "../support/broker.memory.ts"
import { brokerContract, type MakeWorld } from "./broker.contract.ts"

const make: MakeWorld = (rule) =>
  Effect.sync(() => {
    const venue = makeMemoryBroker({ rule })
    return {
      connection: venue.connection,
      setPrice: (symbol, price) => Effect.sync(() => venue.setPrice(symbol, price)),
      holdFills: (held) => Effect.sync(() => venue.holdFills(held)),
      fill: (order, quantity, price) => Effect.asVoid(venue.fill(order.venueOrderId, quantity, price)),
      loseNextCreate: (applied) => Effect.sync(() => venue.scriptCreate({ _tag: "lost", applied })),
      loseNextCancel: (applied) => Effect.sync(() => venue.scriptCancel({ _tag: "lost", applied })),
      refuseNextCreate: (code) =>
        Effect.sync(() => venue.scriptCreate({ _tag: "refuse", code, message: "as the test asked" })),
      setInvisibleMs: (ms) => Effect.sync(() => venue.setInvisibleMs(ms)),
      endStreams: (code, reason) => Effect.sync(() => venue.endStreams(code, reason)),
      creates: (clientOrderId) => Effect.sync(() => venue.creates(clientOrderId)),
      placeExternal: (order) =>
        Effect.map(Clock.currentTimeMillis, (ms) => {
          const { account, symbol, side, type, quantity, limitPrice, stopPrice, timeInForce } = order
          const placed = venue.book.createExternal(
            { account, symbol, side, type, quantity, limitPrice, stopPrice, timeInForce },
            new Date(ms)
          )
          venue.book.fill(placed.venueOrderId, placed.quantity, "100", new Date(ms))
        })
    }
  })

describe("broker contract: memory twin", () => brokerContract(make))
