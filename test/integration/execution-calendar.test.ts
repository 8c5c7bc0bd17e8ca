/** What the calendars of an account and of a symbol keep back, on a real database: when it is held, and when it goes. */
import { assert, layer } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import { defaultPace, makeDesk } from "../../src/actors/execution/account-desk.ts"
import { executeNext } from "../../src/actors/execution/account-step.ts"
import type { LeaseGuard } from "../../src/layers/accounts/accounts-lease.port.ts"
import type { AccountGrant } from "../../src/layers/accounts/accounts-store.port.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { Protection } from "../../src/layers/orders/protection.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { Config } from "../../src/layers/platform/config.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import type { BrokerConnection } from "../../src/layers/venues/broker.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { layerBreakers } from "../support/breakers.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { makeVenue } from "./execution-desk.ts"
import { intend, openLong, sql, testSettings, world } from "./execution-world.ts"

const unreachable = (): never => assert.fail("the assertion before this one failed")

layer(world(), { excludeTestServices: true })("what waits for its market", (it) => {
  const clear = sql((client) => client`UPDATE orders SET status = 'denied' WHERE status <> 'denied'`)

  /** Both clocks, the process's and the database's, are set: a permit is judged by the database's. */
  const setDatabaseClock = (at: string) =>
    sql((client) =>
      client.unsafe(
        `CREATE OR REPLACE FUNCTION hf_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT '${at}'::timestamptz $$`
      )
    )

  /** Steps of the executor of an account by the NYSE, at instants of the clock. */
  const stepsOf = (grant: AccountGrant, broker: BrokerConnection, instruments: Record<string, object> = {}) =>
    Effect.gen(function* () {
      const guard: LeaseGuard = {
        grant,
        mayWrite: () => true,
        remainingMs: () => 1_000,
        giveUp: () => undefined
      }
      const market = (yield* makeMemoryMarket).service
      const scope = yield* Effect.scope
      const desk = makeDesk(
        { path: "test", fork: (_name, effect) => Effect.forkIn(effect, scope) },
        "paper-1",
        broker,
        defaultPace
      )
      desk.setGuard(guard)
      const live = yield* Clock.Clock
      const settings = testSettings({
        accounts: { "paper-1": { broker: "practice", startingCash: "100000", calendar: "XNYS" } },
        instruments
      })
      return (at: string) =>
        setDatabaseClock(at).pipe(
          Effect.andThen(executeNext(desk)),
          Effect.provideService(Config, settings),
          Effect.provideService(
            Clock.Clock,
            Object.assign(Object.create(live), { currentTimeMillis: Effect.succeed(Date.parse(at)) })
          ),
          Effect.provide(
            Layer.mergeAll(
              Protection.layer,
              RiskFigures.layer,
              Layer.mergeAll(alertsQueue, layerBreakers).pipe(Layer.provideMerge(Wake.layer))
            )
          ),
          Effect.provideService(Market, market)
        )
    })
  const sunday = "2026-11-22T18:00:00Z"

  it.effect(
    "[T6 calendar] an exit is held while its market is closed, and goes before entries when it opens",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* clear
          const orders = yield* OrdersStore
          const { exit, grant } = yield* openLong("CLOSED", "5")
          const entry = yield* intend({ symbol: "LATER" })
          const intended = yield* orders.intendExit(exit)
          if (intended._tag !== "Intended") return unreachable()
          const { clientOrderId, id } = intended.order
          const venue = makeVenue()
          const stepAt = yield* stepsOf(grant, venue.connection)
          yield* stepAt(sunday)
          assert.deepInclude(yield* orders.byId(id), { status: "held", reason: "market_closed" })
          yield* sql((client) => client`UPDATE orders SET status = 'denied' WHERE id = ${entry.id}`)
          assert.deepStrictEqual(yield* stepAt(sunday), { _tag: "Worked" })
          assert.strictEqual((yield* orders.byId(id))?.status, "held")
          assert.deepStrictEqual(yield* stepAt(sunday), { _tag: "Nothing" }, "it is passed over for a while")
          yield* stepAt("2026-11-23T18:00:00Z")
          assert.strictEqual((yield* orders.byId(id))?.status, "intended")
          assert.strictEqual(venue.creates(clientOrderId).requests, 0)
        })
      )
  )

  it.effect(
    "[T6 calendar] a held exit goes when the market of its own symbol opens, unless it is blocked",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          yield* clear
          const orders = yield* OrdersStore
          const { exit, grant } = yield* openLong("OWNESZ", "5")
          const intended = yield* orders.intendExit(exit)
          if (intended._tag !== "Intended") return unreachable()
          const { clientOrderId, id } = intended.order
          const venue = makeVenue()
          const held = () =>
            Effect.succeed([{ account: "paper-1", symbol: "OWNESZ", quantity: "5", averagePrice: "100" }])
          const stepAt = yield* stepsOf(
            grant,
            { ...venue.connection, positions: held },
            { "OWN*": { calendar: "XCME" } }
          )
          yield* stepAt(sunday)
          assert.deepInclude(yield* orders.byId(id), { status: "held", reason: "market_closed" })
          yield* stepAt("2026-11-22T23:30:00Z")
          assert.strictEqual(
            (yield* orders.byId(id))?.status,
            "intended",
            "the NYSE is closed, its market is not"
          )
          const blocking = yield* intend({ symbol: "OWNESZ", side: "sell" })
          yield* sql((client) => client`UPDATE orders SET status = 'unknown' WHERE id = ${blocking.id}`)
          yield* stepAt("2026-11-22T23:30:01Z")
          assert.strictEqual(venue.creates(clientOrderId).requests, 0, "nobody knows what the venue has")
          yield* sql((client) => client`UPDATE orders SET status = 'denied' WHERE id = ${blocking.id}`)
          yield* stepAt("2026-11-22T23:40:00Z")
          assert.strictEqual(venue.creates(clientOrderId).requests, 1)
        })
      )
  )
})
