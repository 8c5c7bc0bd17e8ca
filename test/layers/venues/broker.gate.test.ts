import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Alerts } from "../../../src/layers/alerts/alerts.port.ts"
import { alertsQueue } from "../../support/alerts-queue.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { gated } from "../../../src/layers/venues/broker.gate.ts"
import { readBalance } from "../../../src/layers/venues/broker.paper-wire.ts"
import type { BrokerConnection, BrokerEvent, VenuePosition } from "../../../src/layers/venues/broker.port.ts"
import { marketOrder } from "../../contracts/broker.contract.ts"
import { makeMemoryBroker } from "../../support/broker.memory.ts"

/** The twin's connection, with answers of its own, behind the gate; what was alerted, as `kind operation problem`. */
const world = (over: (twin: BrokerConnection) => Partial<BrokerConnection>) =>
  Effect.gen(function* () {
    const twin = makeMemoryBroker()
    twin.setPrice("SPY", "100")
    const alerts = yield* Alerts
    const broker = gated({ ...twin.connection, ...over(twin.connection) }, alerts)
    const alerted = () =>
      alerts
        .takePending()
        .flatMap((entry) =>
          entry._tag === "Outbreak" ? [`${entry.kind} ${String(entry.detail?.["operation"])}`] : []
        )
    return { broker, twin, alerted }
  })
const layer = alertsQueue.pipe(Layer.provide(Wake.layer))
const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, { onFailure: ({ _tag }) => _tag, onSuccess: () => "Success" })

const refused = (operation: string) => [`venue.figure_refused ${operation}`]

describe("the gate of a broker", () => {
  it.effect("lets through what is in order, and says nothing", () =>
    Effect.gen(function* () {
      const { alerted, broker } = yield* world(() => ({}))
      yield* broker.create(marketOrder({ clientOrderId: "c-1" }))
      assert.strictEqual((yield* broker.balance("paper-1")).account, "paper-1")
      assert.lengthOf(yield* broker.positions("paper-1"), 1)
      assert.lengthOf(yield* broker.fillsSince("paper-1", null), 1)
      assert.deepStrictEqual(alerted(), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect.each(["NaN", null, "-1", "99999999999999999"])(
    "a balance of %s is unknown, and an alert",
    (cash) =>
      Effect.gen(function* () {
        const { alerted, broker } = yield* world(() => ({
          // As the paper venue's wire gives it.
          balance: () =>
            Effect.succeed(
              readBalance(JSON.stringify({ id: "paper-1", cash, buying_power: "1" })) ??
                assert.fail("is read")
            )
        }))
        assert.strictEqual(yield* tagOf(broker.balance("paper-1")), "BrokerUnavailable")
        assert.deepStrictEqual(alerted(), refused("balance"))
      }).pipe(Effect.provide(layer))
  )

  it.effect("one bad row of a list of orders makes all of it unknown: one left out would be sent again", () =>
    Effect.gen(function* () {
      const { alerted, broker, twin } = yield* world((connection) => ({
        openOrders: (account) =>
          Effect.map(connection.recentOrders(account, new Date(0)), (all) =>
            all.map((order) => ({ ...order, averagePrice: "-1" }))
          )
      }))
      yield* twin.connection.create(marketOrder({ clientOrderId: "c-1" }))
      assert.strictEqual(yield* tagOf(broker.openOrders("paper-1")), "BrokerUnavailable")
      assert.deepStrictEqual(alerted(), refused("openOrders"))
    }).pipe(Effect.provide(layer))
  )

  const setAside = (operation: string) => [`venue.row_refused ${operation}`]

  it.effect.each([
    ["a quantity that is none", [{ quantity: "NaN" }], null],
    ["a quantity that is null", [{ quantity: null }], null],
    ["an absurd quantity", [{ quantity: "99999999999999999999" }], null],
    ["a price that is null", [{ averagePrice: null }], "4"],
    ["a price below zero", [{ averagePrice: "-1" }], "4"],
    ["two rows that differ", [{ quantity: "4" }, { quantity: "5" }], null]
  ] as const)("a position with %s is set aside, never as flat, and the others count", ([, rows, quantity]) =>
    Effect.gen(function* () {
      const { alerted, broker, twin } = yield* world((connection) => ({
        positions: (account) =>
          Effect.map(connection.positions(account), (all) => [
            ...rows.map(
              (row) => ({ account, symbol: "QQQ", quantity: "4", averagePrice: "1", ...row }) as VenuePosition
            ),
            ...all
          ])
      }))
      yield* twin.connection.create(marketOrder({ clientOrderId: "c-1" }))
      const answer = yield* broker.positions("paper-1")
      assert.lengthOf(answer, rows.length + 1)
      for (const row of answer.slice(0, rows.length)) {
        assert.deepInclude(row, { symbol: "QQQ", quantity, averagePrice: "0" })
        assert.isString(row.problem)
      }
      assert.deepInclude(answer.at(-1), { symbol: "SPY", quantity: "2" })
      assert.notProperty(answer.at(-1), "problem")
      assert.deepStrictEqual([...new Set(alerted())], setAside("positions"))
    }).pipe(Effect.provide(layer))
  )

  it.effect("a fill at price zero is set aside, and the others count", () =>
    Effect.gen(function* () {
      const { alerted, broker, twin } = yield* world((connection) => ({
        fillsSince: (account, cursor) =>
          Effect.map(connection.fillsSince(account, cursor), (all) =>
            all.map((fill) => (fill.clientOrderId === "c-1" ? { ...fill, price: "0" } : fill))
          )
      }))
      yield* twin.connection.create(marketOrder({ clientOrderId: "c-1" }))
      yield* twin.connection.create(marketOrder({ clientOrderId: "c-2" }))
      const fills = yield* broker.fillsSince("paper-1", null)
      assert.deepStrictEqual(
        fills.map(({ clientOrderId }) => clientOrderId),
        ["c-2"]
      )
      assert.deepStrictEqual(alerted(), setAside("fillsSince"))
    }).pipe(Effect.provide(layer))
  )

  it.effect("an answer to a create with a bad figure is an unknown outcome: the order may exist", () =>
    Effect.gen(function* () {
      const bad = { averagePrice: "-1" }
      const { alerted, broker } = yield* world((connection) => ({
        create: (order) => Effect.map(connection.create(order), (placed) => ({ ...placed, ...bad })),
        findByClientOrderId: (account, id) =>
          Effect.map(
            connection.findByClientOrderId(account, id),
            Option.map((found) => ({ ...found, ...bad }))
          )
      }))
      assert.strictEqual(
        yield* tagOf(broker.create(marketOrder({ clientOrderId: "c-1" }))),
        "BrokerOutcomeUnknown"
      )
      assert.strictEqual(yield* tagOf(broker.findByClientOrderId("paper-1", "c-1")), "BrokerUnavailable")
      assert.deepStrictEqual(alerted(), [...refused("create"), ...refused("findByClientOrderId")])
    }).pipe(Effect.provide(layer))
  )

  it.effect("a fill with a bad figure ends the stream, and nothing after it is handled", () =>
    Effect.gen(function* () {
      const heard: Array<BrokerEvent["_tag"]> = []
      const { alerted, broker, twin } = yield* world((connection) => ({
        stream: (onEvent) =>
          connection.stream((event) =>
            onEvent(event._tag === "Filled" ? { ...event, fill: { ...event.fill, price: "0" } } : event)
          )
      }))
      const place = Effect.flatMap(
        Effect.sync(() => heard.includes("Connected")),
        (there) => (there ? Effect.void : Effect.yieldNow)
      ).pipe(Effect.repeat({ until: () => heard.includes("Connected") }))
      const streamed = broker.stream((event) => Effect.sync(() => void heard.push(event._tag)))
      const [tag] = yield* Effect.all(
        [
          tagOf(Effect.scoped(streamed)),
          Effect.andThen(
            place,
            Effect.andThen(
              twin.connection.create(marketOrder({ clientOrderId: "c-1" })),
              twin.connection.create(marketOrder({ clientOrderId: "c-2" }))
            )
          )
        ],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(tag, "BrokerStreamEnded")
      assert.notInclude(heard, "Filled")
      assert.deepStrictEqual(alerted(), refused("stream"))
    }).pipe(Effect.provide(layer))
  )
})
