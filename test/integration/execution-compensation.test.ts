/** Entries that end partly filled, over PostgreSQL: kept, closed or left by policy, once, whoever dies in between. */
import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import { positionId } from "../../src/domain/kernel/ids.ts"
import { executionLimits } from "../../src/domain/kernel/limits-execution.ts"
import type { StrategySettings } from "../../src/domain/kernel/settings.ts"
import { outbreakOf } from "../../src/layers/alerts/alerts.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  scenario,
  startNode,
  until,
  untilAlert,
  untilStatus
} from "./execution-desk.ts"
import {
  fillOf,
  intend,
  own,
  permitOf,
  sql,
  testSettings,
  world,
  type WorldServices
} from "./execution-world.ts"

const policy = (name: StrategySettings["onPartialFill"], partialFillMsMax: number | null = null) => ({
  sources: ["default"],
  accounts: ["paper-1"],
  onPartialFill: name,
  partialFillMsMax
})

const settings = testSettings({
  strategies: {
    keeps: policy("keep"),
    closes: policy("close"),
    leaves: policy("leave"),
    gives_up: policy("close", 300),
    reports: policy("leave", 300)
  }
})

layer(world(settings), { excludeTestServices: true })("an entry that ends partly filled", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  interface Row {
    readonly id: string
    readonly status: string
    readonly partial: string | null
    readonly compensates: string | null
    readonly filled: string
    readonly wanted: string | null
    readonly kind: string | null
  }
  const rowsOf = (symbol: string) =>
    sql(
      (client) => client<Row>`
        SELECT id, status, partial, compensates, trim_scale(filled_quantity)::text AS filled,
          trim_scale(wanted)::text AS wanted, exit_kind AS kind FROM orders WHERE symbol = ${symbol} ORDER BY seq`
    )
  const heldOf = (symbol: string) =>
    sql((client) =>
      Effect.map(
        client<{ readonly quantity: string }>`
          SELECT trim_scale(quantity)::text AS quantity FROM positions WHERE symbol = ${symbol}`,
        ([row]) => row?.quantity ?? "0"
      )
    )
  const untilHeld = (symbol: string, quantity: string) =>
    until(
      `${quantity} of ${symbol}`,
      Effect.map(heldOf(symbol), (found) => found === quantity)
    )
  const untilMark = (symbol: string, mark: string) =>
    until(
      `it is ${mark}`,
      Effect.map(rowsOf(symbol), ([entry]) => entry?.partial === mark)
    )

  /** An entry of 3 with `filled` of it traded and the rest at work. */
  const partly = (strategy: string, filled = "1", side: "buy" | "sell" = "buy") =>
    Effect.gen(function* () {
      const venue = makeVenue()
      const market = yield* makeMemoryMarket
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      venue.holdFills(true)
      const node = yield* startNode(venue, { market: market.service })
      const order = yield* intend({ symbol, quantity: "3", strategy, side })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "acked")
      const found = yield* OrdersStore.use((orders) => orders.byId(order.id))
      const id = found?.venueOrderId ?? ""
      yield* venue.fill(id, filled)
      yield* untilStatus(order, "partially_filled")
      const cancel = Effect.gen(function* () {
        yield* OrderCommands.use((store) => store.cancel(order.id, "enough"))
        yield* node.ring("orders:paper-1")
        yield* untilStatus(order, "cancelled")
      })
      return { venue, node, symbol, order, id, cancel }
    })

  test(
    "[keep] its fills stay, nothing is sent, and it is judged once",
    Effect.gen(function* () {
      const { cancel, node, order, symbol } = yield* partly("keeps")
      yield* cancel
      yield* untilMark(symbol, "kept")
      assert.lengthOf(yield* rowsOf(symbol), 1)
      assert.strictEqual(yield* heldOf(symbol), "1")
      assert.notInclude(yield* node.alerts, "order.partial_left")
      // Another process may have read it before it was judged, under other settings.
      const orders = yield* OrdersStore
      assert.isFalse(yield* orders.notePartial(order.id, "left", null))
      assert.deepInclude(yield* orders.compensate(order.id, null), { _tag: "Later" })
      assert.strictEqual((yield* rowsOf(symbol))[0]?.partial, "kept")
    })
  )

  test(
    "[leave] its fills stay, with an alert",
    Effect.gen(function* () {
      const { cancel, node, order, symbol } = yield* partly("leaves")
      yield* cancel
      yield* untilMark(symbol, "left")
      assert.strictEqual(yield* heldOf(symbol), "1")
      yield* untilAlert(node, "order.partial_left")
      assert.include(yield* committedAlerts, `order.partial_left:${order.id}`)
    })
  )

  for (const side of ["buy", "sell"] as const)
    test(
      `[close ${side}] what it filled is closed by one exit, and a fill after the cancel by another`,
      Effect.gen(function* () {
        const { cancel, id, order, symbol, venue } = yield* partly("closes", "1", side)
        venue.holdFills(false)
        yield* cancel
        yield* untilHeld(symbol, "0")
        const alerts = yield* sql(
          (client) => client`SELECT kind FROM alerts WHERE dedup_key = ${`order.partial_closed:${order.id}`}`
        )
        assert.deepStrictEqual(alerts, [{ kind: "order.partial_closed" }])
        const [entry, close, ...more] = yield* rowsOf(symbol)
        assert.deepInclude(entry, { status: "cancelled", partial: "closed", filled: "1" })
        assert.deepInclude(close, { compensates: order.id, wanted: "1", kind: "compensation" })
        assert.deepStrictEqual(more, [])
        // The trade happened first, the message came second.
        venue.book.fill(id, "1", "100", new Date())
        yield* until(
          "it is closed as well",
          Effect.map(rowsOf(symbol), (rows) => rows.length === 3 && rows[2]?.status === "filled")
        )
        yield* untilHeld(symbol, "0")
        const [again, , second] = yield* rowsOf(symbol)
        assert.deepInclude(again, { status: "cancelled", partial: "closed", filled: "2" })
        assert.deepInclude(second, { compensates: order.id, wanted: "1" })
      })
    )

  test(
    "[close] the rest that works too long is cancelled first",
    Effect.gen(function* () {
      const { order, symbol, venue } = yield* partly("gives_up", "2")
      venue.holdFills(false)
      yield* untilStatus(order, "cancelled")
      yield* untilHeld(symbol, "0")
    })
  )

  test(
    "[leave] the rest that works too long is reported, and works on",
    Effect.gen(function* () {
      const { node, symbol } = yield* partly("reports", "2")
      yield* untilMark(symbol, "left")
      assert.deepInclude((yield* rowsOf(symbol))[0], { status: "partially_filled" })
      yield* untilAlert(node, "order.partial_left")
    })
  )

  test(
    "[killed] whoever dies between the end of the entry and its close, or with the close on its way, closes it once",
    Effect.gen(function* () {
      const { cancel, node, order, symbol, venue } = yield* partly("closes", "2")
      // The exits die before they could judge it.
      yield* node.stopChild("exits")
      yield* cancel
      assert.lengthOf(yield* rowsOf(symbol), 1)
      const orders = yield* OrdersStore
      // Two processes judge it at once, and each again: one close.
      const outcomes = yield* Effect.all(
        [1, 2, 3].map(() => orders.compensate(order.id, null)),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(outcomes.map(({ _tag }) => _tag).toSorted(), ["Intended", "Later", "Later"])
      // Its answer is lost, and the executor dies with it; the venue has it.
      yield* node.stopChild("paper-1")
      venue.scriptCreate({ _tag: "lost", applied: true })
      venue.holdFills(false)
      yield* startNode(venue, { nodeId: "node-b", market: (yield* makeMemoryMarket).service })
      yield* untilHeld(symbol, "0")
      const [entry, close, ...more] = yield* rowsOf(symbol)
      assert.deepInclude(entry, { partial: "closed" })
      assert.deepInclude(close, { compensates: order.id, filled: "2" })
      assert.deepStrictEqual(more, [])
    })
  )

  /** By the stores alone: an entry of `closes` that ended with `filled` of `quantity`, settled. */
  const endedShort = (symbol: string, filled: string, side: "buy" | "sell" = "buy", quantity = "9") =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const fills = yield* FillsStore
      const grant = yield* own()
      const entry = yield* intend({ symbol, quantity, side, strategy: "closes" })
      yield* orders.submit(grant, entry, permitOf(settings))
      yield* fills.record("practice", fillOf(entry, { quantity: filled }))
      const found = (yield* orders.byId(entry.id)) ?? entry
      yield* orders.apply(grant, found, "order.cancelled", { venueFilled: filled })
      return { entry, grant }
    })
  const trade = (symbol: string, strategy: string, side: "buy" | "sell", quantity: string) =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol, quantity, side, strategy })
      yield* orders.submit(grant, order, permitOf(settings))
      yield* FillsStore.use((fills) => fills.record("practice", fillOf(order, { quantity })))
    })

  /** Sends a close, and fills what of it is named. */
  const closing = (order: StoredOrder, quantity: string, held: string) =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      yield* PositionsStore.use((store) => store.confirm(grant, [{ symbol: order.symbol, quantity: held }]))
      const sent = yield* orders.submit(grant, order, permitOf(settings))
      if (sent._tag !== "Submitting") return yield* Effect.die(new Error(JSON.stringify(sent)))
      if (quantity !== "0") yield* late(order, quantity)
      return grant
    })
  const late = (order: StoredOrder, quantity: string) =>
    FillsStore.use((fills) => fills.record("practice", fillOf(order, { quantity })))
  const endClose = (order: StoredOrder, event: "order.cancelled" | "order.expired", venueFilled?: string) =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const found = (yield* orders.byId(order.id)) ?? order
      yield* orders.apply(yield* own(), found, event, venueFilled === undefined ? {} : { venueFilled })
    })
  const compensated = (orderId: string) =>
    Effect.gen(function* () {
      const outcome = yield* (yield* OrdersStore).compensate(orderId, null)
      if (outcome._tag !== "Intended") return yield* Effect.die(new Error(JSON.stringify(outcome)))
      return outcome.order
    })
  test(
    "[T10] it closes of its own opening alone: not what was bought again, not another strategy's, never beyond zero",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const symbol = freshSymbol()
      yield* trade(symbol, "keeps", "buy", "5")
      const { entry } = yield* endedShort(symbol, "2")
      const outcome = yield* orders.compensate(entry.id, null)
      if (outcome._tag !== "Intended") return assert.fail(outcome._tag)
      assert.deepInclude(outcome.order, { side: "sell", wanted: "2", quantity: "2" })
      assert.strictEqual((yield* orders.compensate(entry.id, null))._tag, "Later", "it is judged")
      // While it waits its strategy sells the share, and buys again.
      yield* trade(symbol, "closes", "sell", "2")
      yield* trade(symbol, "closes", "buy", "1")
      const grant = yield* own()
      yield* PositionsStore.use((positions) => positions.confirm(grant, [{ symbol, quantity: "6" }]))
      assert.deepInclude(yield* orders.submit(grant, outcome.order, permitOf(settings)), {
        _tag: "NotPermitted",
        permit: { _tag: "Withdraw", code: "nothing_to_close", numbers: {} }
      })
      const late = yield* endedShort(freshSymbol(), "1")
      yield* trade(late.entry.symbol, "closes", "sell", "1")
      assert.strictEqual(
        (yield* orders.compensate(late.entry.id, null))._tag,
        "Nothing",
        "it was sold before"
      )
      const again = yield* endedShort(freshSymbol(), "1")
      yield* trade(again.entry.symbol, "closes", "sell", "1")
      yield* trade(again.entry.symbol, "closes", "buy", "1")
      assert.deepInclude(yield* orders.compensate(again.entry.id, null), {
        _tag: "Nothing",
        why: "nothing of it is held any more"
      })
    })
  )

  test(
    "[T10] one that reversed is closed as far as it opened, and one that only reduced not at all",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const [turned, reduced] = [freshSymbol(), freshSymbol()]
      yield* trade(turned, "closes", "buy", "2")
      const one = yield* endedShort(turned, "3", "sell")
      const outcome = yield* orders.compensate(one.entry.id, null)
      assert.deepInclude(outcome._tag === "Intended" ? outcome.order : {}, { side: "buy", quantity: "1" })
      // The share grows before it leaves.
      yield* trade(turned, "closes", "sell", "4")
      if (outcome._tag === "Intended") yield* closing(outcome.order, "1", "-5")
      assert.deepInclude(outcome._tag === "Intended" ? yield* orders.byId(outcome.order.id) : {}, {
        quantity: "1",
        status: "filled"
      })
      yield* late(one.entry, "1")
      assert.deepInclude(yield* compensated(one.entry.id), { wanted: "1" })
      yield* trade(reduced, "closes", "buy", "4")
      const two = yield* endedShort(reduced, "3", "sell")
      assert.strictEqual((yield* orders.compensate(two.entry.id, null))._tag, "Nothing")
    })
  )

  test(
    "a close that ends short itself is followed by one of the rest",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const fills = yield* FillsStore
      const symbol = freshSymbol()
      const { entry, grant } = yield* endedShort(symbol, "4")
      const first = yield* orders.compensate(entry.id, null)
      if (first._tag !== "Intended") return assert.fail(first._tag)
      yield* PositionsStore.use((positions) => positions.confirm(grant, [{ symbol, quantity: "4" }]))
      const sent = yield* orders.submit(grant, first.order, permitOf(settings))
      if (sent._tag !== "Submitting") return assert.fail(sent._tag)
      yield* fills.record("practice", fillOf(first.order, { quantity: "1" }))
      const found = (yield* orders.byId(first.order.id)) ?? first.order
      yield* orders.apply(grant, found, "order.expired", { venueFilled: "1" })
      assert.deepStrictEqual(
        (yield* orders.partials(["paper-1"])).map(({ isCompensation, order }) => [order.id, isCompensation]),
        [[first.order.id, true]]
      )
      const second = yield* orders.compensate(first.order.id, null)
      assert.deepInclude(second._tag === "Intended" ? second.order : {}, { wanted: "3", side: "sell" })
      assert.deepStrictEqual(yield* orders.partials(["paper-1"]), [])
      assert.strictEqual((yield* rowsOf(symbol)).at(-1)?.compensates, entry.id)
    })
  )

  const wantedOf = (symbol: string) =>
    Effect.map(rowsOf(symbol), (rows) => rows.filter(({ kind }) => kind !== null).map(({ wanted }) => wanted))

  test(
    "a close that filled after it was followed is not closed once more",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const symbol = freshSymbol()
      yield* trade(symbol, "closes", "buy", "20")
      const { entry } = yield* endedShort(symbol, "10", "buy", "20")
      const first = yield* compensated(entry.id)
      yield* closing(first, "3", "30")
      // The venue counted more than arrived, and no longer answers.
      yield* endClose(first, "order.expired", "5")
      yield* sql(
        (client) =>
          client`UPDATE orders SET settle_looks = ${executionLimits.settleLooksMax} WHERE id = ${first.id}`
      )
      const second = yield* compensated(first.id)
      yield* closing(second, "7", "27")
      yield* late(first, "2")
      assert.deepStrictEqual(yield* orders.compensate(first.id, null), {
        _tag: "Nothing",
        why: "its fills are closed"
      })
      assert.deepStrictEqual(yield* wantedOf(symbol), ["10", "7"])
      assert.deepStrictEqual(yield* orders.partials(["paper-1"]), [])
    })
  )

  for (const known of [false, true])
    test(
      `a late fill while a close of it ${known ? "has ended short" : "may still fill"} is closed once`,
      Effect.gen(function* () {
        const orders = yield* OrdersStore
        const symbol = freshSymbol()
        yield* trade(symbol, "closes", "buy", "20")
        const { entry } = yield* endedShort(symbol, "10", "buy", "20")
        const first = yield* compensated(entry.id)
        yield* closing(first, "3", "30")
        yield* endClose(first, "order.cancelled", known ? "3" : undefined)
        yield* late(entry, "2")
        const again = yield* compensated(entry.id)
        yield* closing(again, again.wanted ?? "0", "29")
        const rest = yield* orders.compensate(first.id, null)
        if (known) assert.deepStrictEqual(rest, { _tag: "Nothing", why: "its fills are closed" })
        assert.deepStrictEqual(yield* wantedOf(symbol), known ? ["10", "9"] : ["10", "2", "7"])
      })
    )

  test(
    "one that is withdrawn is followed by another, once nothing of its strategy closes the share",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const symbol = freshSymbol()
      yield* trade(symbol, "keeps", "buy", "5")
      const { entry, grant } = yield* endedShort(symbol, "4")
      const first = yield* compensated(entry.id)
      // Its strategy's own close has the whole share, and ends without a fill.
      const closer = yield* intend({ symbol, quantity: "4", side: "sell", strategy: "closes", closes: null })
      yield* PositionsStore.use((store) => store.confirm(grant, [{ symbol, quantity: "9" }]))
      yield* orders.submit(grant, closer, permitOf(settings))
      const withdrawn = yield* orders.submit(grant, first, permitOf(settings))
      assert.deepInclude(withdrawn, { _tag: "NotPermitted" })
      assert.deepInclude(yield* orders.byId(first.id), { status: "withdrawn" })
      const due = Effect.map(orders.partials(["paper-1"]), (found) => found.map(({ order }) => order.id))
      assert.deepStrictEqual(yield* due, [first.id])
      assert.strictEqual((yield* orders.compensate(first.id, null))._tag, "Later")
      yield* endClose(closer, "order.cancelled", "0")
      const second = yield* compensated(first.id)
      assert.deepInclude(second, { wanted: "4", quantity: "4", exitKind: "compensation" })
      // By hand, before it left.
      yield* OrderCommands.use((store) => store.cancel(second.id, "not now"))
      yield* late(entry, "1")
      assert.sameMembers(yield* due, [entry.id, second.id])
      yield* compensated(entry.id)
      assert.deepStrictEqual(yield* orders.compensate(second.id, null), {
        _tag: "Nothing",
        why: "its fills are closed"
      })
      assert.deepStrictEqual(yield* wantedOf(symbol), ["4", "4", "5"])
    })
  )

  test(
    "one that the venue refused is tried again as what it is: of its own opening, and of no other share",
    Effect.gen(function* () {
      const { cancel, node, order, symbol, venue } = yield* partly("closes", "2")
      venue.scriptCreate({ _tag: "refuse", code: "market_closed", message: "later" })
      venue.holdFills(false)
      yield* cancel
      yield* untilHeld(symbol, "0")
      const [, ...closes] = yield* rowsOf(symbol)
      assert.deepStrictEqual(
        closes.map(({ compensates, kind, status, wanted }) => [compensates, kind, status, wanted]),
        [
          [order.id, "compensation", "rejected", "2"],
          [order.id, "compensation", "filled", "2"]
        ]
      )
      yield* untilAlert(node, "exit.rejected")
    })
  )

  test(
    "one that the venue refused is not tried again when an operator has closed the share meanwhile",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const symbol = freshSymbol()
      yield* trade(symbol, "keeps", "buy", "5")
      const { entry } = yield* endedShort(symbol, "2")
      const first = yield* compensated(entry.id)
      yield* closing(first, "0", "7")
      const found = (yield* orders.byId(first.id)) ?? first
      yield* orders.apply(yield* own(), found, "order.rejected", { reason: "later" })
      const refused = Effect.map(
        PositionsStore.use((positions) => positions.open(["paper-1"], null)),
        (shares) => shares.find((share) => share.symbol === symbol && share.strategy === "closes")?.refused
      )
      assert.deepInclude(yield* refused, { isClose: false, reason: "later" })
      yield* trade(symbol, "closes", "sell", "2")
      assert.deepStrictEqual(
        (yield* orders.partials(["paper-1"])).map(({ order }) => order.id),
        [first.id]
      )
      assert.strictEqual((yield* orders.compensate(first.id, null))._tag, "Nothing")
    })
  )

  for (const taken of ["has closed", "is about to close"])
    test(
      `one whose share its strategy ${taken} itself does not wait in the way of another strategy's stop`,
      Effect.gen(function* () {
        const orders = yield* OrdersStore
        const symbol = freshSymbol()
        yield* trade(symbol, "keeps", "buy", "5")
        const { entry, grant } = yield* endedShort(symbol, "2")
        const first = yield* compensated(entry.id)
        const closer = yield* intend({
          symbol,
          quantity: "2",
          side: "sell",
          strategy: "closes",
          closes: null
        })
        yield* PositionsStore.use((positions) => positions.confirm(grant, [{ symbol, quantity: "7" }]))
        yield* orders.submit(grant, closer, permitOf(settings))
        if (taken === "has closed") yield* late(closer, "2")
        // It buys again, and that works.
        const again = yield* intend({ symbol, quantity: "2", strategy: "closes" })
        const sent = yield* orders.submit(grant, again, permitOf(settings))
        assert.strictEqual(sent._tag, "Submitting")
        const quantity = taken === "has closed" ? "5" : "7"
        yield* PositionsStore.use((positions) => positions.confirm(grant, [{ symbol, quantity }]))
        yield* orders.submit(grant, first, permitOf(settings))
        assert.deepInclude(yield* orders.byId(first.id), { status: "withdrawn", reason: "nothing_to_close" })
        const stop = yield* orders.intendExit({
          account: "paper-1",
          positionId: positionId("paper-1", symbol),
          positionEpoch: 1,
          exitKind: "stop_loss",
          strategy: "keeps",
          quantity: null
        })
        assert.deepInclude(stop._tag === "Intended" ? stop.order : {}, { strategy: "keeps", quantity: "5" })
      })
    )

  test(
    "the alert of an entry that is closed is stored with its close, whoever dies right after the commit",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { entry } = yield* endedShort(freshSymbol(), "2")
      const closed = {
        severity: "MEDIUM",
        kind: "order.partial_closed",
        dedupKey: entry.id,
        message: "2"
      } as const
      const alertOf = ({ id }: StoredOrder) => outbreakOf({ ...closed, detail: { id } }, randomUUID(), 0)
      const outcome = yield* orders.compensate(entry.id, alertOf)
      if (outcome._tag !== "Intended") return assert.fail(outcome._tag)
      // Its answer is lost.
      assert.strictEqual((yield* orders.compensate(entry.id, alertOf))._tag, "Later")
      const stored = yield* sql(
        (client) => client`
          SELECT kind, occurrences, detail ->> 'id' AS id FROM alerts WHERE dedup_key = ${entry.id}`
      )
      assert.deepStrictEqual(stored, [{ kind: closed.kind, occurrences: 1, id: outcome.order.id }])
    })
  )
})
