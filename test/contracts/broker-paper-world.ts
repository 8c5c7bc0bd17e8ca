/**
 * A paper venue of a test's own: in this process, on a database of its own, with the verbs of the contract.
 *
 * It is embedded because the contract needs dozens of fresh venues; the venue as a process of its own, which can be
 * killed, is in test/peers.
 */
import { Effect, Redacted, type Scope } from "effect"
import type { PaperBrokerOptions } from "../../peers/paper-broker/options.ts"
import { venueDefaults } from "../../peers/paper-broker/options.ts"
import { startPaperBroker } from "../../peers/paper-broker/venue.ts"
import { makePaperConnection } from "../../src/layers/venues/broker.paper.ts"
import type { ClientOrderIdRule } from "../../src/layers/venues/broker.port.ts"
import { emptyDatabase } from "../support/postgres.ts"
import type { BrokerWorld } from "./broker.contract.ts"

/** One call of the venue's side door. Anything but 200 or 201 is a broken test. */
export const callVenue = (
  url: string,
  method: string,
  path: string,
  body?: unknown
): Effect.Effect<unknown> =>
  Effect.promise(async () => {
    const reply = await fetch(`${url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await reply.text()
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
    return JSON.parse(text) as unknown
  })

/** The verbs of a venue at `url`. */
export const venueVerbs = (url: string): Omit<BrokerWorld, "connection"> => {
  const post = (path: string, body: unknown) => Effect.asVoid(callVenue(url, "POST", path, body))
  return {
    setPrice: (symbol, price) => post("/admin/price", { symbol, price }),
    holdFills: (held) => post("/admin/faults", { holdFills: held }),
    fill: (order, quantity, price) =>
      post("/admin/fill", { account: order.account, order_id: order.venueOrderId, quantity, price }),
    loseNextCreate: (applied) =>
      post("/admin/faults", { create: { mode: applied ? "drop_after" : "drop_before", times: 1 } }),
    loseNextCancel: (applied) =>
      post("/admin/faults", { cancel: { mode: applied ? "drop_after" : "drop_before", times: 1 } }),
    refuseNextCreate: (code) => post("/admin/faults", { create: { mode: "refuse", code, times: 1 } }),
    setInvisibleMs: (ms) => post("/admin/faults", { invisibleMs: ms }),
    endStreams: (code, reason) => post("/admin/stream/close", { code: code ?? 1006, reason }),
    creates: (clientOrderId) =>
      Effect.map(callVenue(url, "GET", `/admin/creates?client_order_id=${clientOrderId}`), (answer) => {
        const { creates } = answer as { creates: ReadonlyArray<{ received: number; created: number }> }
        return { requests: creates[0]?.received ?? 0, orders: creates[0]?.created ?? 0 }
      }),
    placeExternal: (order) =>
      post("/orders", {
        account: order.account,
        symbol: order.symbol,
        side: order.side,
        type: order.type,
        quantity: order.quantity,
        limit_price: order.limitPrice,
        stop_price: order.stopPrice,
        time_in_force: order.timeInForce
      })
  }
}

export const connectTo = (url: string, rule: ClientOrderIdRule = "U") =>
  makePaperConnection({ name: "paper", venue: "paper", rule, propagationMs: 0, address: () => url })

/** Starts a venue on a fresh database and waits until it serves. */
export const startVenue = (over: Partial<PaperBrokerOptions> = {}) =>
  Effect.gen(function* () {
    const { url: databaseUrl } = yield* emptyDatabase
    const venue = yield* startPaperBroker({
      ...venueDefaults,
      databaseUrl: Redacted.make(databaseUrl),
      ...over
    }).pipe(Effect.orDie)
    yield* venue.serving
    return venue
  })

export const makePaperWorld = (rule: ClientOrderIdRule): Effect.Effect<BrokerWorld, never, Scope.Scope> =>
  Effect.gen(function* () {
    const venue = yield* startVenue({ rule })
    return { ...venueVerbs(venue.url), connection: yield* connectTo(venue.url, rule) }
  })
