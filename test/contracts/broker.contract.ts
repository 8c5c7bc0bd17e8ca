/**
 * The contract of the broker port, run over every adapter.
 *
 * What the executor and the reconciler rely on is written here once, as sentences; an adapter that passes may be put
 * behind any order. A world is one venue with nothing in it and the verbs to make it misbehave.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Queue, type Scope } from "effect"
import type { VenueFill } from "../../src/domain/orders/fill.ts"
import {
  type BrokerConnection,
  type BrokerEvent,
  type ClientOrderIdRule,
  type CreateOrder,
  SendPermit,
  type VenueOrder
} from "../../src/layers/venues/broker.port.ts"

export interface BrokerWorld {
  readonly connection: BrokerConnection
  readonly setPrice: (symbol: string, price: string) => Effect.Effect<void>
  readonly holdFills: (held: boolean) => Effect.Effect<void>
  readonly fill: (order: VenueOrder, quantity: string, price: string) => Effect.Effect<void>
  /** The next create is done and its answer lost, or lost before it is done. */
  readonly loseNextCreate: (applied: boolean) => Effect.Effect<void>
  readonly loseNextCancel: (applied: boolean) => Effect.Effect<void>
  readonly refuseNextCreate: (code: string) => Effect.Effect<void>
  readonly setInvisibleMs: (ms: number) => Effect.Effect<void>
  readonly endStreams: (code: number | null, reason: string) => Effect.Effect<void>
  /** Requests that reached the venue under this id, and orders they made. */
  readonly creates: (
    clientOrderId: string
  ) => Effect.Effect<{ readonly requests: number; readonly orders: number }>
  /** An order that somebody else placed: it has no client order id. */
  readonly placeExternal: (order: Omit<CreateOrder, "clientOrderId">) => Effect.Effect<void>
}

export type MakeWorld = (rule: ClientOrderIdRule) => Effect.Effect<BrokerWorld, never, Scope.Scope>

const ACCOUNT = "paper-1"

export const marketOrder = (over: Partial<CreateOrder> = {}): CreateOrder => ({
  clientOrderId: "c1",
  account: ACCOUNT,
  symbol: "SPY",
  side: "buy",
  type: "market",
  quantity: "2",
  limitPrice: null,
  stopPrice: null,
  timeInForce: "gtc",
  ...over
})

/** Polls a look-up until it shows what is expected; a venue needs a moment, a broken one never gets there. */
export const eventually = <A, E>(look: Effect.Effect<A, E>, shows: (a: A) => boolean): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 400; tries++) {
      const found = yield* look
      if (shows(found)) return found
      yield* Effect.sleep("10 millis")
    }
    return yield* Effect.die(new Error("it never showed"))
  })

export const fillsCount = (connection: BrokerConnection, count: number, account = ACCOUNT) =>
  eventually(connection.fillsSince(account, null), (fills) => fills.length >= count)

/** Listens in the background; `next` takes one event of a kind, `ended` is how the stream ended. */
export const listen = (connection: BrokerConnection) =>
  Effect.gen(function* () {
    const events = yield* Queue.unbounded<BrokerEvent>()
    const fiber = yield* Effect.forkScoped(
      Effect.flip(Effect.scoped(connection.stream((event) => Effect.asVoid(Queue.offer(events, event)))))
    )
    const take = Queue.take(events).pipe(Effect.timeout("10 seconds"), Effect.orDie)
    const nextFill: Effect.Effect<VenueFill> = Effect.flatMap(take, (event) =>
      event._tag === "Filled" ? Effect.succeed(event.fill) : nextFill
    )
    return { take, nextFill, ended: Fiber.join(fiber).pipe(Effect.timeout("10 seconds"), Effect.orDie) }
  })

const ordersContract = (make: MakeWorld): void => {
  it.live("a market order is answered as accepted and fills at the price", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.setPrice("SPY", "50")
      const placed = yield* world.connection.create(marketOrder())
      assert.deepInclude(placed, { clientOrderId: "c1", account: ACCOUNT, symbol: "SPY", quantity: "2" })
      const fills = yield* fillsCount(world.connection, 1)
      assert.deepInclude(fills[0], {
        venueOrderId: placed.venueOrderId,
        clientOrderId: "c1",
        side: "buy",
        quantity: "2",
        price: "50",
        fee: "0"
      })
      const found = yield* world.connection.findByClientOrderId(ACCOUNT, "c1")
      assert.deepInclude(Option.getOrThrow(found), {
        status: "filled",
        filledQuantity: "2",
        averagePrice: "50"
      })
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 1, orders: 1 })
    })
  )

  it.live("a limit order rests until the price reaches it", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.setPrice("SPY", "50")
      const limit = marketOrder({ type: "limit", limitPrice: "45.5" })
      const placed = yield* world.connection.create(limit)
      assert.deepStrictEqual(
        (yield* world.connection.openOrders(ACCOUNT)).map((o) => [o.venueOrderId, o.status, o.limitPrice]),
        [[placed.venueOrderId, "open", "45.5"]]
      )
      yield* world.setPrice("SPY", "45")
      const [fill] = yield* fillsCount(world.connection, 1)
      assert.strictEqual(fill?.price, "45")
      assert.deepStrictEqual(yield* world.connection.openOrders(ACCOUNT), [])
    })
  )

  it.live("a stop rests until the price has been there, and trades at market from then on", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.setPrice("SPY", "50")
      const stop = marketOrder({ type: "stop", stopPrice: "55" })
      const both = { ...stop, clientOrderId: "c2", type: "stop_limit", limitPrice: "54" } as const
      const placed = yield* world.connection.create(stop)
      yield* world.connection.create(both)
      const open = Effect.map(world.connection.openOrders(ACCOUNT), (orders) =>
        orders.map(({ clientOrderId, limitPrice, stopPrice }) => [clientOrderId, stopPrice, limitPrice])
      )
      assert.deepStrictEqual(yield* open, [
        ["c1", "55", null],
        ["c2", "55", "54"]
      ])
      yield* world.setPrice("SPY", "56")
      const [first] = yield* fillsCount(world.connection, 1)
      assert.deepStrictEqual([first?.venueOrderId, first?.price], [placed.venueOrderId, "56"])
      // Triggered with the other, and too dear for its limit until the price comes back.
      assert.deepStrictEqual(yield* open, [["c2", "55", "54"]])
      yield* world.setPrice("SPY", "53")
      const fills = yield* fillsCount(world.connection, 2)
      assert.strictEqual(fills.at(-1)?.price, "53")
    })
  )

  it.live("an order may fill in parts, and says how far it is", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.holdFills(true)
      const placed = yield* world.connection.create(marketOrder())
      yield* world.fill(placed, "0.5", "10")
      const half = Option.getOrThrow(yield* world.connection.findByClientOrderId(ACCOUNT, "c1"))
      assert.deepInclude(half, { status: "partially_filled", filledQuantity: "0.5", averagePrice: "10" })
      yield* world.fill(placed, "1.5", "20")
      const full = Option.getOrThrow(yield* world.connection.findByClientOrderId(ACCOUNT, "c1"))
      assert.deepInclude(full, { status: "filled", filledQuantity: "2", averagePrice: "17.5" })
    })
  )

  it.live("a documented refusal creates nothing", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.refuseNextCreate("market_closed")
      const error = yield* Effect.flip(world.connection.create(marketOrder()))
      assert.deepInclude(error, { _tag: "BrokerRefused", code: "market_closed", duplicate: false })
      assert.isTrue(Option.isNone(yield* world.connection.findByClientOrderId(ACCOUNT, "c1")))
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 1, orders: 0 })
    })
  )

  it.live("without the permit to send nothing reaches the venue", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      const error = yield* world.connection.create(marketOrder()).pipe(
        Effect.provideService(SendPermit, () => false),
        Effect.flip
      )
      assert.strictEqual(error._tag, "BrokerNotSent")
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 0, orders: 0 })
    })
  )
}

const ruleContract = (make: MakeWorld): void => {
  it.live("rule U: the same id again returns the order that exists, as it is by now", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      const first = yield* world.connection.create(marketOrder())
      yield* fillsCount(world.connection, 1)
      const second = yield* world.connection.create(marketOrder())
      assert.strictEqual(second.venueOrderId, first.venueOrderId)
      assert.strictEqual(second.status, "filled")
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 2, orders: 1 })
    })
  )

  it.live("rule R: the same id again is refused as a duplicate, for good", () =>
    Effect.gen(function* () {
      const world = yield* make("R")
      yield* world.connection.create(marketOrder())
      yield* fillsCount(world.connection, 1)
      const error = yield* Effect.flip(world.connection.create(marketOrder()))
      assert.isTrue(error._tag === "BrokerRefused" && error.duplicate)
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 2, orders: 1 })
    })
  )

  it.live("rule O: the same id is refused while its order is open, and makes another order afterwards", () =>
    Effect.gen(function* () {
      const world = yield* make("O")
      yield* world.holdFills(true)
      const first = yield* world.connection.create(marketOrder())
      const error = yield* Effect.flip(world.connection.create(marketOrder()))
      assert.isTrue(error._tag === "BrokerRefused" && error.duplicate)
      yield* world.fill(first, "2", "50")
      const second = yield* world.connection.create(marketOrder())
      assert.notStrictEqual(second.venueOrderId, first.venueOrderId)
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 3, orders: 2 })
    })
  )

  it.live("rule N: the same id makes another order, and the look-up finds the newest", () =>
    Effect.gen(function* () {
      const world = yield* make("N")
      yield* world.connection.create(marketOrder())
      const second = yield* world.connection.create(marketOrder())
      const found = Option.getOrThrow(yield* world.connection.findByClientOrderId(ACCOUNT, "c1"))
      assert.strictEqual(found.venueOrderId, second.venueOrderId)
      assert.deepStrictEqual(yield* world.creates("c1"), { requests: 2, orders: 2 })
    })
  )
}

const doubtContract = (make: MakeWorld): void => {
  it.live(
    "an answer lost after the create was done is an unknown outcome, and the look-up finds the order",
    () =>
      Effect.gen(function* () {
        const world = yield* make("U")
        yield* world.loseNextCreate(true)
        assert.strictEqual(
          (yield* Effect.flip(world.connection.create(marketOrder())))._tag,
          "BrokerOutcomeUnknown"
        )
        assert.isTrue(Option.isSome(yield* world.connection.findByClientOrderId(ACCOUNT, "c1")))
        assert.deepStrictEqual(yield* world.creates("c1"), { requests: 1, orders: 1 })
      })
  )

  it.live(
    "a create lost before it was done is the same unknown outcome, is not repeated, and is not found",
    () =>
      Effect.gen(function* () {
        const world = yield* make("U")
        yield* world.loseNextCreate(false)
        assert.strictEqual(
          (yield* Effect.flip(world.connection.create(marketOrder())))._tag,
          "BrokerOutcomeUnknown"
        )
        assert.isTrue(Option.isNone(yield* world.connection.findByClientOrderId(ACCOUNT, "c1")))
        assert.deepStrictEqual(yield* world.creates("c1"), { requests: 1, orders: 0 })
      })
  )

  it.live("an order that is still propagating is not found, and is found later", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.setInvisibleMs(300)
      yield* world.connection.create(marketOrder())
      const look = world.connection.findByClientOrderId(ACCOUNT, "c1")
      assert.isTrue(Option.isNone(yield* look))
      yield* eventually(look, Option.isSome)
    })
  )

  it.live("a cancel whose answer is lost is an unknown outcome; the order tells what happened", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.holdFills(true)
      const placed = yield* world.connection.create(marketOrder())
      yield* world.loseNextCancel(true)
      const error = yield* Effect.flip(world.connection.cancel(ACCOUNT, placed.venueOrderId))
      assert.strictEqual(error._tag, "BrokerOutcomeUnknown")
      const found = Option.getOrThrow(yield* world.connection.findByClientOrderId(ACCOUNT, "c1"))
      assert.strictEqual(found.status, "cancelled")
    })
  )
}

const cancelContract = (make: MakeWorld): void => {
  it.live("a cancel without the permit to send leaves nothing, and is not the broker's silence", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.holdFills(true)
      const placed = yield* world.connection.create(marketOrder())
      const cancelling = world.connection.cancel(ACCOUNT, placed.venueOrderId)
      const error = yield* Effect.flip(Effect.provideService(cancelling, SendPermit, () => false))
      assert.strictEqual(error._tag, "BrokerNotSent")
      const found = yield* world.connection.findByClientOrderId(ACCOUNT, "c1")
      assert.strictEqual(Option.getOrThrow(found).status, "open")
    })
  )

  it.live("an open order is cancelled once; after that, and for strangers, a cancel is refused", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.holdFills(true)
      const placed = yield* world.connection.create(marketOrder())
      const stranger = yield* Effect.flip(world.connection.cancel("paper-2", placed.venueOrderId))
      assert.deepInclude(stranger, { _tag: "BrokerRefused", code: "order_not_found" })
      const cancelled = yield* world.connection.cancel(ACCOUNT, placed.venueOrderId)
      assert.deepInclude(cancelled, { venueOrderId: placed.venueOrderId, status: "cancelled" })
      const again = yield* Effect.flip(world.connection.cancel(ACCOUNT, placed.venueOrderId))
      assert.deepInclude(again, { _tag: "BrokerRefused", code: "order_not_open" })
      const nobody = yield* Effect.flip(world.connection.cancel(ACCOUNT, "no-such-order"))
      assert.deepInclude(nobody, { _tag: "BrokerRefused", code: "order_not_found" })
    })
  )
}

const lookUpContract = (make: MakeWorld): void => {
  it.live("fills come in the order in which they became visible, and after a cursor none is left out", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      for (const id of ["a", "b", "c"]) yield* world.connection.create(marketOrder({ clientOrderId: id }))
      const all = yield* fillsCount(world.connection, 3)
      assert.deepStrictEqual(
        all.map(({ clientOrderId }) => clientOrderId),
        ["a", "b", "c"]
      )
      // A few from before it may come again; what comes after it always does, in the same order.
      const rest = yield* world.connection.fillsSince(ACCOUNT, all[0]?.cursor ?? null)
      assert.deepStrictEqual(rest, all.slice(all.length - rest.length))
      assert.isAtLeast(rest.length, 2)
      assert.deepStrictEqual(yield* world.connection.fillsSince("paper-2", null), [])
    })
  )

  it.live("positions are signed at average cost, and cash follows every trade", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.setPrice("SPY", "50")
      yield* world.connection.create(marketOrder({ clientOrderId: "a", quantity: "2" }))
      yield* fillsCount(world.connection, 1)
      assert.deepStrictEqual(yield* world.connection.positions(ACCOUNT), [
        { account: ACCOUNT, symbol: "SPY", quantity: "2", averagePrice: "50" }
      ])
      yield* world.setPrice("SPY", "60")
      yield* world.connection.create(marketOrder({ clientOrderId: "b", side: "sell", quantity: "5" }))
      yield* fillsCount(world.connection, 2)
      const short = yield* world.connection.positions(ACCOUNT)
      assert.deepStrictEqual(short, [{ account: ACCOUNT, symbol: "SPY", quantity: "-3", averagePrice: "60" }])
      const balance = yield* world.connection.balance(ACCOUNT)
      assert.strictEqual(balance.cash, "100200")
    })
  )

  it.live("activity tells of every account in one look: open orders, positions, the newest fill", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      assert.deepStrictEqual(yield* world.connection.activity, [])
      yield* world.connection.create(marketOrder({ clientOrderId: "a" }))
      const [bought] = yield* fillsCount(world.connection, 1)
      const told = { account: ACCOUNT, openOrders: 0, positions: 1, lastFill: bought?.cursor ?? "none" }
      assert.deepStrictEqual(yield* world.connection.activity, [told])
      yield* world.connection.create(marketOrder({ clientOrderId: "b", side: "sell" }))
      const sold = (yield* fillsCount(world.connection, 2)).at(-1)
      yield* world.holdFills(true)
      yield* world.connection.create(marketOrder({ clientOrderId: "c" }))
      yield* world.connection.create(marketOrder({ clientOrderId: "d", account: "paper-2" }))
      assert.sameDeepMembers(
        [...(yield* world.connection.activity)],
        [
          { account: ACCOUNT, openOrders: 1, positions: 0, lastFill: sold?.cursor ?? "none" },
          { account: "paper-2", openOrders: 1, positions: 0, lastFill: null }
        ]
      )
    })
  )

  it.live("an option contract moves the cash of its hundred units", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      const symbol = "BRK B 2099-12-18 C 42.5"
      yield* world.setPrice(symbol, "3")
      yield* world.connection.create(marketOrder({ clientOrderId: "a", symbol, quantity: "2" }))
      yield* fillsCount(world.connection, 1)
      assert.deepStrictEqual(yield* world.connection.positions(ACCOUNT), [
        { account: ACCOUNT, symbol, quantity: "2", averagePrice: "3" }
      ])
      assert.strictEqual((yield* world.connection.balance(ACCOUNT)).cash, "99400")
    })
  )

  it.live("recent orders are those touched since a time, in any status; open orders are the open ones", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.holdFills(true)
      const first = yield* world.connection.create(marketOrder({ clientOrderId: "a" }))
      yield* Effect.sleep("5 millis")
      const second = yield* world.connection.create(marketOrder({ clientOrderId: "b" }))
      yield* world.connection.cancel(ACCOUNT, second.venueOrderId)
      const ids = (orders: ReadonlyArray<VenueOrder>) => orders.map((o) => o.clientOrderId)
      assert.deepStrictEqual(ids(yield* world.connection.recentOrders(ACCOUNT, first.createdAt)), ["a", "b"])
      assert.deepStrictEqual(ids(yield* world.connection.recentOrders(ACCOUNT, second.createdAt)), ["b"])
      assert.deepStrictEqual(ids(yield* world.connection.openOrders(ACCOUNT)), ["a"])
    })
  )

  it.live("an order of somebody else is seen, with its fill, without a client order id", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.placeExternal(marketOrder())
      const [fill] = yield* fillsCount(world.connection, 1)
      assert.isNull(fill?.clientOrderId)
      const orders = yield* world.connection.recentOrders(ACCOUNT, new Date(0))
      assert.deepStrictEqual(
        orders.map((o) => [o.clientOrderId, o.status]),
        [[null, "filled"]]
      )
    })
  )
}

const streamContract = (make: MakeWorld): void => {
  it.live("the stream greets, replays nothing, and tells what happens after", () =>
    Effect.gen(function* () {
      const world = yield* make("U")
      yield* world.connection.create(marketOrder({ clientOrderId: "before" }))
      const [before] = yield* fillsCount(world.connection, 1)
      yield* eventually(world.connection.openOrders(ACCOUNT), (orders) => orders.length === 0)
      const stream = yield* listen(world.connection)
      assert.deepStrictEqual(yield* stream.take, { _tag: "Connected" })
      yield* world.connection.create(marketOrder({ clientOrderId: "after" }))
      const fill = yield* stream.nextFill
      assert.strictEqual(fill.clientOrderId, "after")
      assert.deepStrictEqual(
        fill,
        (yield* world.connection.fillsSince(ACCOUNT, before?.cursor ?? null)).at(-1)
      )
      const updated = yield* stream.take
      assert.isTrue(updated._tag === "OrderUpdated" && updated.order.status === "filled")
    })
  )

  for (const [code, said] of [
    [1000, "maintenance"],
    [1012, "restart"],
    [4001, "somebody else logged in"]
  ] as const) {
    it.live(`a close with ${code} ends the stream with that code and its reason`, () =>
      Effect.gen(function* () {
        const world = yield* make("U")
        const stream = yield* listen(world.connection)
        yield* stream.take
        yield* world.endStreams(code, said)
        const ended = yield* stream.ended
        assert.deepStrictEqual([ended._tag, ended.code, ended.reason], ["BrokerStreamEnded", code, said])
      })
    )
  }

  it.live(
    "a connection that breaks without a close frame ends the stream without a code, with a reason",
    () =>
      Effect.gen(function* () {
        const world = yield* make("U")
        const stream = yield* listen(world.connection)
        yield* stream.take
        yield* world.endStreams(null, "cut")
        const ended = yield* stream.ended
        assert.isNull(ended.code)
        assert.notStrictEqual(ended.reason, "")
      })
  )
}

/** Registers the whole contract for one adapter; call it inside a `describe`. */
export const brokerContract = (make: MakeWorld): void => {
  ordersContract(make)
  ruleContract(make)
  doubtContract(make)
  cancelContract(make)
  lookUpContract(make)
  streamContract(make)
}
