/**
 * The venue of a simulation, with the network between: the memory twin, whose answers get lost, late and repeated.
 *
 * Promises: what happens at the venue happens in the world's time, whoever lives; an order is filled in one to three parts, mostly soon,
 * sometimes long after it was acknowledged; a request that is delayed arrives within the window in which the venue says that it may.
 * Never: contradicts itself: every refusal is a documented one, and what it has it keeps.
 */
import { BigDecimal, Clock, Effect } from "effect"
import { decimal, formatDecimal } from "../../src/domain/kernel/decimal.ts"
import {
  type BrokerConnection,
  BrokerNotSent,
  BrokerOutcomeUnknown,
  BrokerRefused,
  BrokerUnavailable,
  type ClientOrderIdRule,
  type CreateOrder,
  SendPermit,
  type VenueOrder
} from "../../src/layers/venues/broker.port.ts"
import type { Random } from "../outside/random.ts"
import { makeMemoryBroker, type MemoryBroker } from "../support/broker.memory.ts"
import type { Life, Timeline } from "./timeline.ts"

export const VENUE = "practice"
const PROPAGATION_MS = 2_000
/** The adapter's deadline of one round trip. */
const DEADLINE_MS = 5_000

/** What one create meets on its way. */
const CREATE_FAULTS = [
  "not sent",
  "request lost",
  "request late",
  "answer lost",
  "answer late",
  "refused"
] as const

export interface SimulatedVenue {
  readonly twin: MemoryBroker
  readonly connection: (life: Life) => BrokerConnection
  /** How likely a create meets a fault. */
  faultRate: number
  /** How likely an order waits long for its fills. */
  lateFillRate: number
  /** A planted fault: a create without an answer goes out again under another id. */
  resends: boolean
  /** How often a fill of the stream is booked; more than once is a planted fault. */
  books: number
  /** While false no look-up is answered. */
  readable: boolean
  /** Counts of what was done to creates, by name. */
  readonly met: Map<string, number>
}

const unknown = (reason: string) => new BrokerOutcomeUnknown({ broker: VENUE, reason })

/** Quantities that add up to the order's: whole units where it has any. */
const partsOf = (quantity: string, random: Random): ReadonlyArray<string> => {
  const whole = Number(quantity)
  if (!Number.isInteger(whole) || whole < 2 || random.next() < 0.6) return [quantity]
  const first = 1 + Math.floor(random.next() * (whole - 1))
  return [String(first), formatDecimal(BigDecimal.subtract(decimal(quantity), decimal(String(first))))]
}

/** Fills what is open, each order by a schedule of its own. */
const makeFiller = (timeline: Timeline, random: Random, twin: MemoryBroker) => {
  const seen = new Set<string>()
  return (lateRate: number): void => {
    for (const order of twin.book.orders()) {
      if (seen.has(order.venueOrderId)) continue
      seen.add(order.venueOrderId)
      let atMs = random.next() < lateRate ? random.between(1_000, 25_000) : random.between(0, 40)
      for (const part of partsOf(order.quantity, random)) {
        timeline.after(atMs, null, () => {
          const now = twin.book.order(order.venueOrderId)
          if (now === undefined || (now.status !== "open" && now.status !== "partially_filled")) return
          Effect.runSync(
            twin.fill(order.venueOrderId, part).pipe(Effect.provideService(Clock.Clock, timeline.clock))
          )
        })
        atMs += random.between(0, 2_000)
      }
    }
  }
}

/** The create of one process: what the network makes of it, and what the venue does. */
const makeCreate =
  (timeline: Timeline, random: Random, venue: SimulatedVenue, fill: () => void) =>
  (life: Life): BrokerConnection["create"] =>
  (order: CreateOrder) => {
    const { met, twin } = venue
    const drawn = random.next() < venue.faultRate ? random.pick(CREATE_FAULTS) : null
    // An exit that is refused again and again tells nothing new.
    const fault = drawn === "refused" && random.next() < 0.5 ? null : drawn
    const note = (what: string): void => void met.set(what, (met.get(what) ?? 0) + 1)
    const reach = Effect.tap(Effect.exit(twin.connection.create(order)), () => Effect.sync(fill))
    /** Reaches the venue after the process has given up, and perhaps after it is gone. */
    const reachLater = Effect.gen(function* () {
      const permit = yield* SendPermit
      if (!permit()) return yield* new BrokerNotSent({ broker: VENUE, reason: "the permit to send is gone" })
      timeline.after(random.between(50, PROPAGATION_MS * 0.8), null, () => {
        Effect.runSync(
          Effect.exit(reach).pipe(
            Effect.provideService(SendPermit, () => true),
            Effect.provideService(Clock.Clock, timeline.clock)
          )
        )
      })
      return yield* unknown("the connection was cut while it was written")
    })
    const answer = Effect.flatten(reach)
    const sent: Effect.Effect<VenueOrder, BrokerRefused | BrokerOutcomeUnknown | BrokerNotSent> =
      Effect.suspend(() => {
        switch (fault) {
          case null:
          case "answer late":
            return answer
          case "not sent":
            return Effect.fail(new BrokerNotSent({ broker: VENUE, reason: "connection refused" }))
          case "request lost":
            return Effect.fail(unknown("the connection was cut before the answer"))
          case "request late":
            return reachLater
          case "answer lost":
            return Effect.flatMap(answer, () =>
              Effect.fail(unknown("the connection was cut before the answer"))
            )
          case "refused":
            return Effect.fail(
              new BrokerRefused({
                broker: VENUE,
                code: "insufficient_funds",
                message: "no",
                duplicate: false
              })
            )
        }
      })
    if (fault !== null) note(fault)
    const made = timeline.call(life, `venue create ${order.symbol}`, sent)
    if (fault !== "answer late") return venue.resends ? sendAgain(twin, order, made) : made
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(made)
      yield* timeline.sleep(life, random.between(100, DEADLINE_MS))
      return yield* exit
    })
  }

/** A planted fault: who gets no answer sends again, under another id. */
const sendAgain = <E>(
  twin: MemoryBroker,
  order: CreateOrder,
  made: Effect.Effect<VenueOrder, E | BrokerOutcomeUnknown>
) =>
  Effect.tapError(made, (error) =>
    error instanceof BrokerOutcomeUnknown
      ? Effect.exit(twin.connection.create({ ...order, clientOrderId: `${order.clientOrderId}x` }))
      : Effect.void
  )

export const openVenue = (timeline: Timeline, random: Random, rule: ClientOrderIdRule): SimulatedVenue => {
  const twin = makeMemoryBroker({ name: VENUE, rule, propagationMs: PROPAGATION_MS })
  // The filler decides when.
  twin.holdFills(true)
  const filler = makeFiller(timeline, random, twin)
  const venue: SimulatedVenue = {
    twin,
    faultRate: 0,
    lateFillRate: 0,
    readable: true,
    resends: false,
    books: 1,
    met: new Map(),
    connection: (life) => {
      const { connection } = twin
      const read = <A, E>(operation: string, effect: Effect.Effect<A, E>) =>
        timeline.call(
          life,
          `venue ${operation}`,
          Effect.suspend((): Effect.Effect<A, E | BrokerUnavailable> =>
            venue.readable
              ? effect
              : Effect.fail(new BrokerUnavailable({ broker: VENUE, operation, reason: "no answer" }))
          )
        )
      return {
        ...connection,
        create: create(life),
        cancel: (account, id) => timeline.call(life, "venue cancel", connection.cancel(account, id)),
        findByClientOrderId: (account, id) => read("find", connection.findByClientOrderId(account, id)),
        openOrders: (account) => read("open", connection.openOrders(account)),
        recentOrders: (account, since) => read("recent", connection.recentOrders(account, since)),
        fillsSince: (account, cursor) => read("fills", connection.fillsSince(account, cursor)),
        positions: (account) => read("positions", connection.positions(account)),
        balance: (account) => read("balance", connection.balance(account)),
        activity: read("activity", connection.activity),
        stream: (onEvent) =>
          connection.stream((event) =>
            Effect.gen(function* () {
              yield* timeline.sleep(life, random.between(0, 20))
              yield* onEvent(event)
              if (event._tag === "Filled" && venue.books > 1)
                yield* onEvent({ ...event, fill: { ...event.fill, tradeId: `${event.fill.tradeId}x` } })
              if (event._tag !== "Connected" && random.next() < venue.faultRate / 4) yield* onEvent(event)
            })
          )
      }
    }
  }
  const create = makeCreate(timeline, random, venue, () => filler(venue.lateFillRate))
  return venue
}
