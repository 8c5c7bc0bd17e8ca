/** The life of an order over PostgreSQL: every status and event done to a row, lost cancels, and each way out of a doubt. */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, type Scope } from "effect"
import { applyEvent } from "../../src/actors/execution/account-send.ts"
import { recordFill } from "../../src/actors/execution/fill-record.ts"
import { positionId } from "../../src/domain/kernel/ids.ts"
import {
  FILL_EVENTS,
  nextStatus,
  ORDER_EVENTS,
  ORDER_STATUSES,
  type OrderEvent,
  type OrderStatus,
  type Resolution
} from "../../src/domain/orders/order.ts"
import type { LeaseGuard } from "../../src/layers/accounts/accounts-lease.port.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { Protection } from "../../src/layers/orders/protection.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import type { BrokerConnection } from "../../src/layers/venues/broker.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import {
  freshSymbol,
  makeVenue,
  type NodeOptions,
  orphan,
  scenario,
  startNode,
  statusOf,
  until,
  untilAlert,
  untilStatus
} from "./execution-desk.ts"
import { fillOf, history, intend, own, permitOf, sql, world, type WorldServices } from "./execution-world.ts"

const place = { account: "paper-1", path: "root/trading/accounts/paper-1" } as const
const uuid = (n: number): string => `00000000-0000-8000-9000-${String(n).padStart(12, "0")}`
let commands = 0
const origin = () => ({ commandId: uuid((commands += 1)), source: "api" })

layer(world(), { excludeTestServices: true })("the life of an order", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  const setStatus = (order: StoredOrder, status: OrderStatus) =>
    sql((client) => client`UPDATE orders SET status = ${status}, settled_at = NULL WHERE id = ${order.id}`)
  const fresh = (order: StoredOrder) =>
    Effect.flatMap(
      OrdersStore.use((orders) => orders.byId(order.id)),
      (found) => Effect.fromNullishOr(found)
    )
  const lastEvent = (order: StoredOrder) => Effect.map(history(order.id), (lines) => lines.at(-1) ?? "none")
  const line = (event: OrderEvent, from: OrderStatus, to: OrderStatus | null) =>
    `${event} ${from}>${to ?? from}${to === null ? " !" : ""}`
  const nextOf = (status: OrderStatus, event: OrderEvent) => {
    const next = nextStatus(status, event)
    return next._tag === "Success" ? next.success : null
  }
  const alertsOf = Alerts.use((alerts) =>
    Effect.sync(() =>
      alerts.takePending().flatMap((entry) => (entry._tag === "Outbreak" ? [entry.kind] : []))
    )
  )
  const services = Layer.mergeAll(Protection.layer, alertsQueue.pipe(Layer.provideMerge(Wake.layer)))

  test(
    "[every status x event] a step moves the row by the table; what does not fit is stored and alerted, and moves nothing",
    Effect.gen(function* () {
      const grant = yield* own()
      const guard: LeaseGuard = {
        grant,
        mayWrite: () => true,
        remainingMs: () => 60_000,
        giveUp: () => undefined
      }
      const order = yield* intend({ symbol: freshSymbol() })
      let illegal = 0
      for (const event of ORDER_EVENTS) {
        if ((FILL_EVENTS as ReadonlyArray<string>).includes(event)) continue
        for (const status of ORDER_STATUSES) {
          yield* setStatus(order, status)
          const to = nextOf(status, event)
          yield* applyEvent(place, guard, { ...order, status }, event, { reason: `${event} of ${status}` })
          assert.strictEqual((yield* fresh(order)).status, to ?? status, `${event} of ${status}`)
          const raised = yield* alertsOf
          if (to === null) {
            illegal += 1
            assert.strictEqual(yield* lastEvent(order), line(event, status, null))
            assert.deepStrictEqual(raised, ["order.illegal_event"], `${event} of ${status}`)
          } else {
            assert.deepStrictEqual(raised, [], `${event} of ${status}`)
            if (to !== status) assert.strictEqual(yield* lastEvent(order), line(event, status, to))
          }
        }
      }
      assert.isAbove(illegal, 200)
    }).pipe(Effect.provide(services))
  )

  test(
    "[every status x fill] a fill is stored whatever the order is in, moves it by the table, and is alerted where it does not fit",
    Effect.gen(function* () {
      const broker: BrokerConnection = makeVenue().connection
      yield* own()
      const quantities = { "fill.partial": "1", "fill.complete": "3", "fill.excess": "4" } as const
      for (const event of FILL_EVENTS)
        for (const status of ORDER_STATUSES) {
          const order = yield* intend({ symbol: freshSymbol(), quantity: "3" })
          yield* setStatus(order, status)
          const quantity = quantities[event]
          const outcome = yield* recordFill("test", broker, fillOf(order, { quantity }))
          assert.strictEqual(outcome._tag, "Recorded")
          const to = nextOf(status, event)
          assert.deepInclude(yield* fresh(order), { status: to ?? status, filledQuantity: quantity })
          assert.strictEqual(yield* lastEvent(order), line(event, status, to))
          const raised = (yield* alertsOf).filter((kind) => kind.startsWith("order."))
          assert.deepStrictEqual(raised, to === null ? ["order.illegal_fill"] : [], `${event} of ${status}`)
        }
    }).pipe(Effect.provide(services))
  )

  test(
    "an illegal event whose alert died with its process is alerted by the next life, once",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      yield* setStatus(order, "denied")
      yield* orders.apply(grant, { ...order, status: "denied" }, "order.acked")
      assert.deepStrictEqual(yield* orders.illegalUnalerted("paper-1"), [], "its alert may be on its way")
      yield* sql(
        (client) => client`UPDATE order_events SET at = at - interval '1 minute' WHERE order_id = ${order.id}`
      )
      const [found] = yield* orders.illegalUnalerted("paper-1")
      assert.deepInclude(found, { event: "order.acked", status: "denied" })
      const node = yield* startNode(makeVenue())
      let raised: ReadonlyArray<string> = []
      yield* until(
        "it is alerted",
        Effect.map(node.alerts, (kinds) => (raised = [...raised, ...kinds]).includes("order.illegal_event"))
      )
      yield* sql(
        (client) => client`
          INSERT INTO alerts (id, severity, kind, dedup_key, message, last_at)
          VALUES (gen_random_uuid(), 'HIGH', 'order.illegal_event', ${`order.illegal_event:${order.id}`}, 'm', hf_clock())`
      )
      assert.deepStrictEqual(yield* orders.illegalUnalerted("paper-1"), [], "what was alerted is")
    })
  )

  /** An order that rests at the venue with one of three filled, and whose cancel the venue forgets to answer. */
  const partlyFilled = (options: NodeOptions = {}, rule: "U" | "N" = "U") =>
    Effect.gen(function* () {
      const venue = makeVenue({ rule })
      yield* own()
      const symbol = freshSymbol()
      venue.holdFills(true)
      const node = yield* startNode(venue, options)
      const order = yield* intend({ symbol, quantity: "3" })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "acked")
      const id = (yield* fresh(order)).venueOrderId ?? ""
      yield* venue.fill(id, "1")
      yield* untilStatus(order, "partially_filled")
      return { venue, node, order, symbol, id }
    })

  test(
    "[K9] a fill that ends the doubt of a cancel does not end the wish: it is asked for again, and fills are kept",
    Effect.gen(function* () {
      // A venue that cannot be asked leaves the cancel in doubt until the fill comes.
      let blind = false
      const { id, node, order, venue } = yield* partlyFilled({
        wrap: (connection) => ({
          ...connection,
          findByClientOrderId: (account, clientOrderId) =>
            blind ? Effect.never : connection.findByClientOrderId(account, clientOrderId)
        })
      })
      blind = true
      venue.scriptCancel({ _tag: "lost", applied: false })
      yield* OrderCommands.use((store) => store.cancel(order.id, "enough"))
      yield* node.ring("orders:paper-1")
      yield* until(
        "its cancel is in doubt",
        Effect.map(statusOf(order), (status) => status === "unknown" || status === "resolving")
      )
      // The life that knew of it ends before the fill is stored.
      yield* node.stopChild("paper-1")
      yield* venue.fill(id, "1")
      yield* until(
        "the fill ends the doubt",
        Effect.map(statusOf(order), (status) => status === "partially_filled")
      )
      blind = false
      yield* startNode(venue, { nodeId: "node-b" })
      yield* untilStatus(order, "cancelled")
      assert.deepInclude(yield* fresh(order), { filledQuantity: "2" })
      const asked = (yield* history(order.id)).filter((one) => one.startsWith("order.cancel_requested"))
      assert.lengthOf(asked, 2)
    })
  )

  const resolve = (order: StoredOrder, outcome: Resolution) =>
    OrderCommands.use((store) =>
      store.resolve({ orderId: order.id, outcome, venueOrderId: null, reason: "seen" })
    )

  test(
    "[needs_operator] one that the venue had and forgot: not absent, placed as partly filled, and over at last, with its fills",
    Effect.gen(function* () {
      let forgotten = false
      const { id, node, order, symbol, venue } = yield* partlyFilled({
        wrap: (connection) => ({
          ...connection,
          findByClientOrderId: (account, clientOrderId) =>
            forgotten
              ? Effect.succeed(Option.none())
              : connection.findByClientOrderId(account, clientOrderId),
          openOrders: (account) => (forgotten ? Effect.succeed([]) : connection.openOrders(account)),
          recentOrders: (account, since) =>
            forgotten ? Effect.succeed([]) : connection.recentOrders(account, since)
        })
      })
      forgotten = true
      venue.scriptCancel({ _tag: "refuse", code: "order_not_found", message: "no" })
      yield* OrderCommands.use((store) => store.cancel(order.id, "enough"))
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "needs_operator")
      assert.deepStrictEqual(yield* resolve(order, "not_placed"), { _tag: "HasFills", filledQuantity: "1" })
      const placed = yield* resolve(order, "placed")
      assert.deepInclude(placed._tag === "Done" ? placed.order : {}, {
        status: "partially_filled",
        venueOrderId: id
      })
      // Its cancel was wanted and is tried again; the venue still knows nothing of it.
      venue.scriptCancel({ _tag: "refuse", code: "order_not_found", message: "no" })
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(order, "needs_operator")
      const over = yield* resolve(order, "over")
      assert.deepInclude(over._tag === "Done" ? over.order : {}, { status: "cancelled", filledQuantity: "1" })
      assert.include(yield* history(order.id), "order.resolved_over needs_operator>cancelled")
      // Its symbol is free again, and a trade that turns up after all is counted as what it is.
      venue.holdFills(false)
      const next = yield* intend({ symbol })
      yield* node.ring("orders:paper-1")
      yield* untilStatus(next, "filled")
      yield* venue.fill(id, "2")
      yield* untilStatus(order, "filled")
    })
  )

  test(
    "[needs_operator] the venue's own word ends it as well, and its alert",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const venue = makeVenue({ rule: "N" })
      venue.holdFills(true)
      const order = yield* orphan
      const node = yield* startNode(venue)
      yield* untilStatus(order, "needs_operator")
      const { account, clientOrderId, quantity, side, symbol } = order
      const found = yield* venue.connection.create({
        ...{ account, clientOrderId, quantity, side, symbol },
        type: "market",
        limitPrice: null,
        stopPrice: null,
        timeInForce: "day"
      })
      yield* venue.fill(found.venueOrderId)
      yield* untilStatus(order, "filled")
      assert.strictEqual((yield* orders.byId(order.id))?.attempt, 1)
      let ended: ReadonlyArray<string> = []
      yield* until(
        "its alert is over",
        Effect.map(node.resolved, (keys) =>
          (ended = [...ended, ...keys]).includes(`order.needs_operator:${order.id}`)
        )
      )
    })
  )

  test(
    "[needs_operator] a placed one that the venue never shows and that is cancelled is not sent again (rule U)",
    Effect.gen(function* () {
      const venue = makeVenue()
      const order = yield* orphan
      yield* setStatus(order, "needs_operator")
      const placed = yield* resolve(order, "placed")
      assert.strictEqual(placed._tag === "Done" && placed.order.status, "acked")
      yield* OrderCommands.use((store) => store.cancel(order.id, "enough"))
      yield* startNode(venue)
      yield* untilStatus(order, "expired_unsent")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
      assert.include((yield* fresh(order)).reason ?? "", "cancel_wanted")
    })
  )

  test(
    "[needs_operator] two closes of one share by one flatten go out again under ids of their own",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "N" })
      const { node, order } = yield* Effect.gen(function* () {
        yield* own()
        const symbol = freshSymbol()
        const running = yield* startNode(venue)
        const first = yield* intend({ symbol, quantity: "2" })
        yield* running.ring("orders:paper-1")
        yield* untilStatus(first, "filled")
        venue.holdFills(true)
        const second = yield* intend({ symbol, quantity: "1" })
        yield* running.ring("orders:paper-1")
        yield* untilStatus(second, "acked")
        return { node: running, order: second }
      })
      yield* node.stopChild("paper-1")
      const flat = yield* OrderCommands.use((store) => store.flatten("paper-1", origin(), "out"))
      const closes =
        flat._tag === "Flattened"
          ? flat.orders.filter(({ intent, symbol }) => intent === "reduce" && symbol === order.symbol)
          : []
      assert.lengthOf(closes, 2)
      const ids: Array<string> = []
      for (const close of closes) {
        yield* setStatus(close, "needs_operator")
        const again = yield* resolve(close, "not_placed")
        if (again._tag === "Done") ids.push(again.order.clientOrderId)
      }
      assert.strictEqual(new Set([...ids, ...closes.map(({ clientOrderId }) => clientOrderId)]).size, 4)
    })
  )

  const close = (symbol: string, given: { readonly commandId: string; readonly quantity: string | null }) =>
    OrderCommands.use((store) =>
      store.close({ source: "api", positionId: positionId("paper-1", symbol), ...given })
    )
  const idsOf = (closed: Effect.Success<ReturnType<typeof close>>): ReadonlyArray<string> =>
    closed._tag === "Closing" ? closed.orders.map(({ id }) => id) : []

  /** Five held of a fresh symbol; nobody executes the account any more. */
  const held = Effect.gen(function* () {
    const venue = makeVenue()
    yield* own()
    const symbol = freshSymbol()
    const node = yield* startNode(venue)
    const entry = yield* intend({ symbol, quantity: "5" })
    yield* node.ring("orders:paper-1")
    yield* untilStatus(entry, "filled")
    yield* node.stopChild("paper-1")
    return { symbol, venue }
  })

  test(
    "[T14] a partial close that another's order does already is that order for good: given again, it closes nothing more",
    Effect.gen(function* () {
      const { symbol, venue } = yield* held
      const [one, two] = [uuid((commands += 1)), uuid((commands += 1))]
      const first = idsOf(yield* close(symbol, { commandId: one, quantity: "2" }))
      assert.deepStrictEqual(idsOf(yield* close(symbol, { commandId: two, quantity: "2" })), first, "merged")
      // The answer of the second was lost; the order that both share trades.
      yield* startNode(venue, { nodeId: "node-b" })
      yield* until(
        "it has traded",
        sql((client) =>
          Effect.map(
            client<{ readonly quantity: string }>`
              SELECT trim_scale(quantity)::text AS quantity FROM positions WHERE symbol = ${symbol}`,
            ([row]) => row?.quantity === "3"
          )
        )
      )
      assert.deepStrictEqual(idsOf(yield* close(symbol, { commandId: two, quantity: "2" })), first, "again")
      const third = idsOf(yield* close(symbol, { commandId: uuid((commands += 1)), quantity: "2" }))
      assert.notDeepEqual(third, first, "another command closes more")
    })
  )

  test(
    "[T14] a close that is being taken back at this moment is not named as one that will be carried out",
    Effect.gen(function* () {
      const { symbol } = yield* held
      const [waiting] = idsOf(yield* close(symbol, { commandId: uuid((commands += 1)), quantity: null }))
      const database = yield* Database
      const taken = yield* Deferred.make<void>()
      const commit = yield* Deferred.make<void>()
      const withdrawing = yield* Effect.forkChild(
        database.transact("test", (client) =>
          Effect.gen(function* () {
            yield* client`UPDATE orders SET status = 'withdrawn' WHERE id = ${waiting ?? ""}`
            yield* Deferred.succeed(taken, undefined)
            yield* Deferred.await(commit)
          })
        )
      )
      yield* Deferred.await(taken)
      const asking = yield* Effect.forkChild(
        close(symbol, { commandId: uuid((commands += 1)), quantity: null })
      )
      yield* until(
        "the close waits for the row",
        sql((client) =>
          Effect.map(
            client<{ readonly waits: boolean }>`
              SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
                AND wait_event_type = 'Lock') AS waits`,
            ([row]) => row?.waits === true
          )
        )
      )
      yield* Deferred.succeed(commit, undefined)
      yield* Fiber.join(withdrawing)
      const [named] = idsOf(yield* Fiber.join(asking))
      assert.isString(named)
      assert.notStrictEqual(named, waiting)
    })
  )

  test(
    "an order that its permit withdraws has ended with the transaction that judged it, and with its event",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const order = yield* intend({ symbol: freshSymbol(), side: "sell", closes: null })
      const judged = yield* orders.submit(grant, order, permitOf())
      assert.deepInclude(judged, { _tag: "NotPermitted" })
      assert.deepInclude(yield* fresh(order), { status: "withdrawn", reason: "nothing_to_close", sends: 0 })
      assert.deepStrictEqual(yield* history(order.id), ["order.withdrawn intended>withdrawn"])
      const stale = { ...grant, fence: grant.fence - 1n }
      const other = yield* intend({ symbol: freshSymbol(), side: "sell", closes: null })
      assert.deepInclude(yield* orders.submit(stale, other, permitOf()), { why: "stale_fence" })
      assert.strictEqual(yield* statusOf(other), "intended")
    })
  )

  for (const [waits, what] of [
    ["intended", "its broker is away"],
    ["held", "trading is halted"]
  ] as const)
    test(
      `[T5 K3] an entry whose validity passes while it is ${waits} because ${what} expires, with its event and an alert`,
      Effect.gen(function* () {
        const venue = makeVenue()
        yield* own()
        if (waits === "intended") venue.setReadable(false)
        const order = yield* intend({ symbol: freshSymbol(), validMs: 600 })
        yield* setStatus(order, waits)
        if (waits === "held")
          yield* sql((client) => client`UPDATE trading_state SET state = 'HALTED' WHERE scope = 'global'`)
        const node = yield* startNode(venue)
        const ringing = yield* Effect.forkChild(
          Effect.forever(Effect.andThen(node.ring("orders:paper-1"), Effect.sleep(50)))
        )
        yield* untilStatus(order, "expired_unsent")
        yield* Fiber.interrupt(ringing)
        assert.deepStrictEqual(yield* history(order.id), [`order.expired_unsent ${waits}>expired_unsent`])
        yield* untilAlert(node, "order.expired_unsent")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
        yield* sql((client) => client`UPDATE trading_state SET state = 'ACTIVE' WHERE scope = 'global'`)
      })
    )
})
