import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Scope } from "effect"
import { layerConfiguredBrokers } from "../../../src/layers/venues/broker.configured.ts"
import { Brokers } from "../../../src/layers/venues/broker.port.ts"
import { layerBreakers } from "../../support/breakers.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { makeLiveSettings } from "../../../src/layers/platform/config.live.ts"
import { Config } from "../../../src/layers/platform/config.port.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { practiceQuote } from "../../../src/domain/market/practice-price.ts"
import { makeEmbeddedVenues } from "../../../src/layers/venues/paper-venue.embedded.ts"
import { PaperVenues } from "../../../src/layers/venues/paper-venue.port.ts"
import { fillsCount, marketOrder } from "../../contracts/broker.contract.ts"
import { openFreshDatabase } from "../../support/postgres.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const settings = settingsFrom({
  brokers: { practice: { kind: "paper" }, "other-one": { kind: "paper", rule: "R" } },
  accounts: {
    "paper-1": { broker: "practice", startingCash: "5000" },
    "paper-9": { broker: "other-one", startingCash: "70" }
  },
  strategies: { default: { sources: ["default"], accounts: ["paper-1"] } },
  market: { seed: 42 }
})

const world = Effect.gen(function* () {
  const { database, target } = yield* openFreshDatabase()
  const live = makeLiveSettings(settings)
  const venues = makeEmbeddedVenues(live.view, target)
  const layer = layerConfiguredBrokers.pipe(
    Layer.provide(Layer.mergeAll(Layer.succeed(Config, live.view), Layer.succeed(PaperVenues, venues))),
    Layer.provide(Layer.mergeAll(alertsQueue, layerBreakers, Layer.succeed(Database, database))),
    Layer.provide(Wake.layer)
  )
  const brokers = Context.get(yield* Layer.build(layer), Brokers)
  return { database, venues, brokers, live }
})

describe("embedded paper venue behind the configured brokers", () => {
  it.live(
    "a broker is there before its venue, finds it when it is launched, and loses it when it closes",
    () =>
      Effect.gen(function* () {
        const { brokers, venues } = yield* world
        const broker = brokers.get("practice")
        assert.strictEqual((yield* Effect.flip(broker.create(marketOrder())))._tag, "BrokerNotSent")
        const scope = yield* Scope.make()
        const venue = yield* Scope.provide(venues.launch("practice"), scope)
        yield* venue.serving
        assert.strictEqual((yield* broker.create(marketOrder({ quantity: "1" }))).clientOrderId, "c1")
        yield* fillsCount(broker, 1)
        yield* Scope.close(scope, yield* Effect.exit(Effect.void))
        assert.isNull(venues.addressOf("practice"))
        assert.strictEqual((yield* Effect.flip(broker.create(marketOrder())))._tag, "BrokerNotSent")
      })
  )

  it.live("the book outlives the venue: a second launch has the fills, at another address", () =>
    Effect.gen(function* () {
      const { brokers, venues } = yield* world
      const broker = brokers.get("practice")
      const before = yield* Effect.scoped(
        Effect.gen(function* () {
          const venue = yield* venues.launch("practice")
          yield* venue.serving
          yield* broker.create(marketOrder({ quantity: "1" }))
          return { url: venue.url, fills: yield* fillsCount(broker, 1) }
        })
      )
      const again = yield* venues.launch("practice")
      yield* again.serving
      assert.notStrictEqual(again.url, before.url)
      assert.deepStrictEqual(yield* broker.fillsSince("paper-1", null), before.fills)
    })
  )

  it.live("[G11] a running venue knows the cash of an account that a reload adds", () =>
    Effect.gen(function* () {
      const { brokers, live, venues } = yield* world
      yield* Effect.flatMap(venues.launch("practice"), ({ serving }) => serving)
      const added = { broker: "practice", startingCash: "777", calendar: "24x7", enabled: true } as const
      live.assign({ ...settings, accounts: { ...settings.accounts, added } })
      assert.strictEqual((yield* brokers.get("practice").balance("added")).cash, "777")
    })
  )

  it.live("its trades cost the fees of the settings in force, which its cash pays", () =>
    Effect.gen(function* () {
      const { brokers, live, venues } = yield* world
      const { practice } = settings.brokers
      assert.isDefined(practice)
      const charge = (minimum: string): void => {
        const rule = { perUnit: "0.5", pct: "0", minimum }
        const all = { equity: rule, option: rule, future: rule, crypto: rule, fx: rule }
        live.assign({ ...settings, brokers: { ...settings.brokers, practice: { ...practice, fees: all } } })
      }
      charge("0")
      yield* Effect.flatMap(venues.launch("practice"), ({ serving }) => serving)
      yield* brokers.get("practice").create(marketOrder({ quantity: "2" }))
      const [first] = yield* fillsCount(brokers.get("practice"), 1)
      assert.strictEqual(first?.fee, "1")
      charge("3")
      yield* brokers.get("practice").create(marketOrder({ clientOrderId: "c2", quantity: "2" }))
      const fills = yield* fillsCount(brokers.get("practice"), 2)
      assert.strictEqual(fills[1]?.fee, "3")
      const paid = fills.reduce((sum, { price, quantity }) => sum + Number(price) * Number(quantity), 4)
      assert.closeTo(Number((yield* brokers.get("practice").balance("paper-1")).cash), 5000 - paid, 1e-6)
    })
  )

  it.live(
    "[G11] a connection is made again when its broker changes, and the former ones close when they are released",
    () =>
      Effect.gen(function* () {
        const { brokers, live, venues } = yield* world
        yield* Effect.flatMap(venues.launch("practice"), ({ serving }) => serving)
        const [first, other] = [brokers.get("practice"), brokers.get("other-one")]
        // A reload reads every entry again; what is the same stays the same connection.
        live.assign({ ...settings, brokers: structuredClone(settings.brokers) })
        assert.strictEqual(brokers.get("practice"), first)
        const { practice } = settings.brokers
        assert.isDefined(practice)
        live.assign({ ...settings, brokers: { practice: { ...practice, propagationMs: 7 }, late: practice } })
        const second = brokers.get("practice")
        assert.strictEqual(second.propagationMs, 7)
        assert.strictEqual(brokers.get("late").name, "late")
        assert.strictEqual(brokers.get("other-one"), other, "whoever is about to be stopped still finds it")
        assert.strictEqual((yield* first.balance("paper-1")).cash, "5000", "and the one it has still works")
        yield* brokers.release
        assert.strictEqual((yield* second.balance("paper-1")).cash, "5000")
        assert.throws(() => brokers.get("other-one"), "a requested broker is configured")
      })
  )

  it.live("each broker has a venue, a schema, a rule and the starting cash of its own", () =>
    Effect.gen(function* () {
      const { brokers, database, venues } = yield* world
      for (const name of ["practice", "other-one"])
        yield* Effect.flatMap(venues.launch(name), ({ serving }) => serving)
      assert.strictEqual((yield* brokers.get("practice").balance("paper-1")).cash, "5000")
      assert.strictEqual((yield* brokers.get("other-one").balance("paper-9")).cash, "70")
      const order = marketOrder({ account: "paper-9", quantity: "0.01" })
      yield* brokers.get("other-one").create(order)
      const again = yield* Effect.flip(brokers.get("other-one").create(order))
      assert.isTrue(again._tag === "BrokerRefused" && again.duplicate)
      const schemas = yield* database.run(
        "test.schemas",
        (sql) => sql<{ table_schema: string }>`SELECT table_schema FROM information_schema.tables
          WHERE table_name = 'create_requests' ORDER BY 1`
      )
      assert.deepStrictEqual(
        schemas.map((row) => row.table_schema),
        ["paper_venue", "paper_venue_other_one"]
      )
    })
  )

  it.live("it fills at the price the practice market quotes for the configured seed", () =>
    Effect.gen(function* () {
      const { brokers, venues } = yield* world
      yield* Effect.flatMap(venues.launch("practice"), ({ serving }) => serving)
      yield* brokers.get("practice").create(marketOrder({ quantity: "1" }))
      const [fill] = yield* fillsCount(brokers.get("practice"), 1)
      const at = fill?.at.getTime() ?? 0
      // The quote was taken in the step of the fill or in the one before it.
      const asks = [0, 250, 500].map((back) => practiceQuote(42, "SPY", at - back).ask.replace(/\.?0+$/, ""))
      assert.include(asks, fill?.price)
    })
  )
})
