import { assert, layer } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { closeOrderId, positionId } from "../../src/domain/kernel/ids.ts"
import { ORDER_STATUSES, type OrderStatus, type Resolution } from "../../src/domain/orders/order.ts"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { FillsStore } from "../../src/layers/orders/fills-store.port.ts"
import { flattenIn } from "../../src/layers/orders/order-close.pg.ts"
import { OrderCommands } from "../../src/layers/orders/order-commands.port.ts"
import { OrdersStore, type StoredOrder } from "../../src/layers/orders/orders-store.port.ts"
import { PositionsStore } from "../../src/layers/orders/positions-store.port.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import {
  freshSymbol,
  makeVenue,
  type NodeOptions,
  orphan,
  scenario,
  startNode,
  until,
  untilStatus
} from "./execution-desk.ts"
import {
  fillOf,
  history,
  intend,
  own,
  permitOf,
  readAccount,
  sql,
  world,
  type WorldServices
} from "./execution-world.ts"

const uuid = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, "0")}`

layer(world(), { excludeTestServices: true })("what an operator does to orders", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  let commands = 0
  const origin = () => ({ commandId: uuid((commands += 1)), source: "api" })
  const setStatus = (order: StoredOrder, status: OrderStatus) =>
    sql((client) => client`UPDATE orders SET status = ${status} WHERE id = ${order.id}`)
  const setState = (scope: string, state: string) =>
    sql(
      (
        client
      ) => client`INSERT INTO trading_state (scope, state, reason, changed_by) VALUES (${scope}, ${state}, 't', 't')
        ON CONFLICT (scope) DO UPDATE SET state = excluded.state`
    )
  const halted = <A, E, R>(scope: string, state: string, body: Effect.Effect<A, E, R>) =>
    Effect.ensuring(Effect.andThen(setState(scope, state), body), setState(scope, "ACTIVE"))
  const held = (symbol: string) =>
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
      Effect.map(held(symbol), (found) => found === quantity)
    )
  const fresh = (order: StoredOrder) =>
    Effect.flatMap(OrdersStore, (orders) => Effect.map(orders.byId(order.id), (found) => found ?? order))
  const closeAll = (symbol: string, given: Partial<{ quantity: string; commandId: string }> = {}) =>
    OrderCommands.use((store) =>
      store.close({ ...origin(), positionId: positionId("paper-1", symbol), quantity: null, ...given })
    )

  /** `plain` buys 3 and `default` 2 of a fresh symbol at a running venue. */
  const holding = (options: NodeOptions = {}) =>
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const symbol = freshSymbol()
      venue.setPrice(symbol, "100")
      const node = yield* startNode(venue, options)
      const send = (order: StoredOrder) => Effect.as(node.ring("orders:paper-1"), order)
      for (const [strategy, quantity] of [
        ["plain", "3"],
        ["default", "2"]
      ] as const)
        yield* untilStatus(yield* send(yield* intend({ symbol, strategy, quantity })), "filled")
      yield* untilHeld(symbol, "5")
      return { venue, node, symbol, send }
    })

  const cancelled: { readonly [status in OrderStatus]: OrderStatus | "refused" } = {
    intended: "withdrawn",
    held: "withdrawn",
    acked: "pending_cancel",
    partially_filled: "pending_cancel",
    pending_cancel: "pending_cancel",
    cancelled: "cancelled",
    withdrawn: "withdrawn",
    expired_unsent: "expired_unsent",
    submitting: "refused",
    unknown: "refused",
    resolving: "refused",
    needs_operator: "refused",
    denied: "refused",
    rejected: "refused",
    filled: "refused",
    expired: "refused"
  }
  test(
    "a cancel moves an order by its table, once, under the fence that is current, and never what nobody knows",
    Effect.gen(function* () {
      const store = yield* OrderCommands
      const grant = yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      for (const status of ORDER_STATUSES) {
        yield* setStatus(order, status)
        const wanted = cancelled[status]
        for (const time of [1, 2]) {
          const done = yield* store.cancel(order.id, "enough")
          if (wanted === "refused") assert.deepStrictEqual(done, { _tag: "WrongStatus", status })
          else if (done._tag === "Done") assert.strictEqual(done.order.status, wanted, `${status} ${time}`)
          else assert.fail(`${status}: ${done._tag}`)
        }
      }
      const steps = yield* sql(
        (client) => client<{ readonly step: string; readonly fence: bigint }>`
        SELECT from_status || '>' || to_status AS step, fence FROM order_events WHERE order_id = ${order.id} ORDER BY seq`
      )
      assert.deepStrictEqual(
        steps.map(({ step }) => step),
        ["intended>withdrawn", "held>withdrawn", "acked>pending_cancel", "partially_filled>pending_cancel"]
      )
      assert.isTrue(steps.every(({ fence }) => fence === grant.fence))
      assert.deepStrictEqual(yield* store.cancel(uuid(999_999), "x"), { _tag: "Missing" })
    })
  )

  test(
    "a cancel of what the venue has is carried out by the executor, with what it filled kept",
    Effect.gen(function* () {
      const { node, send, symbol, venue } = yield* holding()
      venue.holdFills(true)
      const order = yield* send(yield* intend({ symbol, quantity: "4" }))
      yield* untilStatus(order, "acked")
      yield* venue.fill((yield* fresh(order)).venueOrderId ?? "", "1")
      yield* untilStatus(order, "partially_filled")
      const done = yield* OrderCommands.use((store) => store.cancel(order.id, "enough"))
      assert.strictEqual(done._tag, "Done")
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "cancelled")
      assert.strictEqual(yield* held(symbol), "6")
    })
  )

  test(
    "[T10] a close is one order for each share, is found again under its command, and ends at zero",
    Effect.gen(function* () {
      const { node, symbol } = yield* holding()
      const commandId = uuid((commands += 1))
      const closed = yield* closeAll(symbol, { commandId })
      if (closed._tag !== "Closing") return assert.fail(closed._tag)
      assert.deepStrictEqual(
        closed.orders.map(({ exitKind, intent, side, signalId, sizing, source, strategy }) =>
          [strategy, side, intent, sizing, exitKind, source, signalId].join()
        ),
        ["plain,sell,reduce,share,operator,api,", "default,sell,reduce,share,operator,api,"]
      )
      const again = yield* closeAll(symbol, { commandId })
      const other = yield* closeAll(symbol)
      const ids = (outcome: typeof closed) => outcome.orders.map(({ id }) => id)
      assert.deepStrictEqual(again._tag === "Closing" && ids(again), ids(closed), "the same command")
      assert.deepStrictEqual(other._tag === "Closing" && ids(other), ids(closed), "another while it waits")
      yield* node.ring("orders:paper-1")
      yield* untilHeld(symbol, "0")
      for (const order of closed.orders) yield* untilStatus(order, "filled")
      assert.strictEqual((yield* closeAll(symbol))._tag, "Flat")
      const once = yield* closeAll(symbol, { commandId })
      assert.deepStrictEqual(once._tag === "Closing" && ids(once), ids(closed), "and when it is over")
      const linked = yield* sql(
        (client) => client<{ readonly strategy: string }>`
        SELECT l.strategy FROM trade_strategy_link l JOIN orders o ON o.id = l.order_id
        WHERE o.command_id = ${commandId}::uuid ORDER BY o.seq`
      )
      assert.deepStrictEqual(
        linked.map(({ strategy }) => strategy),
        ["plain", "default"]
      )
    })
  )

  test(
    "[T10] a close of a part takes from the oldest share first, and of more than there is only what there is",
    Effect.gen(function* () {
      const { node, symbol } = yield* holding()
      const part = yield* closeAll(symbol, { quantity: "4" })
      assert.deepStrictEqual(
        part._tag === "Closing" && part.orders.map(({ strategy, wanted }) => [strategy, wanted]),
        [
          ["plain", "3"],
          ["default", "1"]
        ]
      )
      yield* node.ring("orders:paper-1")
      yield* untilHeld(symbol, "1")
      yield* closeAll(symbol, { quantity: "1000" })
      yield* node.ring("orders:paper-1")
      yield* untilHeld(symbol, "0")
    })
  )

  test(
    "[T4, T10] a close beside a live exit takes what the exit leaves, and there is never a second exit",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const { node, send, symbol, venue } = yield* holding()
      venue.holdFills(true)
      const exit = yield* orders.intendExit({
        account: "paper-1",
        positionId: positionId("paper-1", symbol),
        positionEpoch: 1,
        exitKind: "stop_loss",
        strategy: "default",
        quantity: null
      })
      if (exit._tag !== "Intended") return assert.fail(exit.why)
      yield* untilStatus(yield* send(exit.order), "acked")
      const closed = yield* closeAll(symbol)
      if (closed._tag !== "Closing") return assert.fail(closed._tag)
      const [plain, byDefault] = closed.orders
      if (plain === undefined || byDefault === undefined) return assert.fail("two closes")
      yield* node.ring("orders:paper-1")
      yield* untilStatus(plain, "acked")
      yield* untilStatus(byDefault, "withdrawn")
      assert.deepInclude(yield* fresh(byDefault), { reason: "nothing_to_close", sends: 0 })
      for (const order of [exit.order, plain]) yield* venue.fill((yield* fresh(order)).venueOrderId ?? "")
      yield* untilHeld(symbol, "0")
      assert.strictEqual((yield* fresh(plain)).quantity, "3")
    })
  )

  test(
    "[T6] while trading is HALTED an operator's close passes, and a close of a strategy waits",
    Effect.gen(function* () {
      const { node, send, symbol } = yield* holding()
      yield* halted(
        "global",
        "HALTED",
        Effect.gen(function* () {
          const waits = yield* send(yield* intend({ symbol, strategy: "plain", side: "sell", closes: null }))
          const closed = yield* closeAll(symbol, { quantity: "1" })
          yield* node.ring("orders:paper-1")
          yield* untilHeld(symbol, "4")
          assert.strictEqual(closed._tag, "Closing")
          assert.strictEqual((yield* fresh(waits)).status, "intended")
        })
      )
      yield* node.ring("orders:paper-1")
      yield* untilHeld(symbol, "2")
    })
  )

  test(
    "[T6, T10] a close that the venue refused is tried again as an operator's, also while trading is HALTED",
    Effect.gen(function* () {
      const market = yield* makeMemoryMarket
      const { node, symbol, venue } = yield* holding({ market: market.service })
      yield* halted(
        "global",
        "HALTED",
        Effect.gen(function* () {
          venue.scriptCreate({ _tag: "refuse", code: "busy", message: "not now" })
          const closed = yield* closeAll(symbol, { quantity: "3" })
          if (closed._tag !== "Closing") return assert.fail(closed._tag)
          yield* node.ring("orders:paper-1")
          yield* untilStatus(closed.orders[0] ?? assert.fail("no order"), "rejected")
          yield* untilHeld(symbol, "2")
        })
      )
      const retries = yield* sql(
        (client) => client<{ readonly kind: string; readonly status: string }>`
          SELECT exit_kind AS kind, status FROM orders WHERE symbol = ${symbol} AND exit_number IS NOT NULL`
      )
      assert.deepStrictEqual(retries, [{ kind: "operator", status: "filled" }])
    })
  )

  test(
    "[T14] the stricter state of account and strategy holds, and only where it says so",
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const grant = yield* own()
      const send = (strategy: string, closes?: null) =>
        Effect.gen(function* () {
          const order = yield* intend({
            symbol: freshSymbol(),
            strategy,
            ...(closes === null ? { closes } : {})
          })
          const found = yield* orders.next("paper-1")
          const permit = yield* orders.submit(grant, order, permitOf())
          const isChosen = found?.order.id === order.id
          yield* setStatus(order, "denied")
          return [isChosen, permit._tag === "NotPermitted" ? permit.permit.code : permit._tag]
        })
      const states = (scope: string, state: string) =>
        halted(scope, state, Effect.all([send("default"), send("plain")]))
      const passes = [true, "Submitting"]
      assert.deepStrictEqual(yield* states("account:paper-2", "HALTED"), [passes, passes])
      assert.deepStrictEqual(yield* states("strategy:plain", "REDUCING"), [
        passes,
        [false, "trading_reducing"]
      ])
      assert.deepStrictEqual(yield* states("account:paper-1", "HALTED"), [
        [false, "trading_halted"],
        [false, "trading_halted"]
      ])
      assert.deepStrictEqual(
        yield* halted("strategy:plain", "HALTED", states("account:paper-1", "REDUCING")),
        [
          [false, "trading_reducing"],
          [false, "trading_halted"]
        ]
      )
    })
  )

  test(
    "[K10] a flatten takes entries back, cancels those at the venue, closes every position, and names what it cannot",
    Effect.gen(function* () {
      const { node, send, symbol, venue } = yield* holding()
      const lost = yield* intend({ symbol: freshSymbol() })
      yield* setStatus(lost, "needs_operator")
      venue.holdFills(true)
      const working = yield* send(yield* intend({ symbol: freshSymbol(), quantity: "7" }))
      yield* untilStatus(working, "acked")
      const [flattened, waiting] = yield* halted(
        "global",
        "HALTED",
        Effect.gen(function* () {
          const entry = yield* intend({ symbol, quantity: "9" })
          const command = origin()
          const flatten = OrderCommands.use((store) => store.flatten("paper-1", command, "out"))
          const first = yield* flatten
          venue.holdFills(false)
          yield* node.ring("orders:paper-1")
          yield* untilHeld(symbol, "0")
          const again = yield* flatten
          if (first._tag !== "Flattened" || again._tag !== "Flattened") return yield* Effect.die(first._tag)
          const closes = (some: ReadonlyArray<StoredOrder>) =>
            some.filter(({ commandId }) => commandId === command.commandId).map(({ id }) => id)
          assert.deepStrictEqual(closes(again.orders), closes(first.orders))
          return [first, entry] as const
        })
      )
      assert.deepStrictEqual(flattened.unresolved, [lost.id])
      assert.sameMembers(
        flattened.orders
          .filter((order) => [symbol, working.symbol].includes(order.symbol))
          .map(({ intent, status, strategy, symbol: of }) => [of, strategy, intent, status].join()),
        [
          `${symbol},plain,reduce,intended`,
          `${symbol},default,reduce,intended`,
          `${working.symbol},default,entry,pending_cancel`,
          `${working.symbol},default,reduce,intended`,
          `${symbol},default,entry,withdrawn`
        ]
      )
      yield* untilStatus(working, "cancelled")
      // What a cancelled entry might still have brought is closed after it, and nothing came.
      const after = flattened.orders.find(
        ({ intent, symbol: of }) => intent === "reduce" && of === working.symbol
      )
      yield* untilStatus(after ?? (yield* Effect.die("no close waits for the entry")), "withdrawn")
      assert.strictEqual((yield* fresh(waiting)).sends, 0)
      const nobody = yield* OrderCommands.use((store) => store.flatten("nobody", origin(), "x"))
      assert.strictEqual(nobody._tag, "Missing")
    })
  )

  test(
    "[K10] a flatten is as many statements for a hundred entries and positions as for one of each",
    Effect.gen(function* () {
      const database = yield* Database
      yield* own("paper-9")
      const add = (from: number, to: number) =>
        sql((client) =>
          Effect.all([
            client`INSERT INTO positions (id, account, symbol, quantity, average_price)
              SELECT md5('p' || n)::uuid, 'paper-9', 'P' || n, CASE WHEN n % 2 = 0 THEN -1 ELSE 1 END, 1
              FROM generate_series(${from}::int, ${to}::int) AS n`,
            client`INSERT INTO position_shares (position_id, strategy, quantity, average_price, opened_seq, opened_at)
              SELECT md5('p' || n)::uuid, s, CASE WHEN n % 2 = 0 THEN -0.5 ELSE 0.5 END, 1, 0, hf_now()
              FROM generate_series(${from}::int, ${to}::int) AS n, unnest(ARRAY['plain', 'default']) AS s`,
            client`INSERT INTO orders (id, client_order_id, account, strategy, intent, symbol, side, type, quantity,
                time_in_force, status, source, venue)
              SELECT md5(status || n)::uuid, md5(status || n), 'paper-9', 'plain', 'entry', 'E' || n, 'buy', 'market', n,
                'day', status, 'webhook', 'practice'
              FROM generate_series(${from}::int, ${to}::int) AS n, unnest(ARRAY['acked', 'intended', 'unknown']) AS status`
          ])
        )
      const flatten = Effect.gen(function* () {
        let statements = 0
        const done = yield* database.transact("test", (client) => {
          const counted = new Proxy(client, {
            apply: (target, self, given) => {
              statements += 1
              return Reflect.apply(target, self, given)
            }
          })
          return flattenIn(counted, "paper-9", origin(), "out")
        })
        return done._tag === "Flattened" ? { statements, done } : assert.fail(done._tag)
      })
      const one = yield* Effect.andThen(add(1, 1), flatten)
      const many = yield* Effect.andThen(add(2, 100), flatten)
      assert.strictEqual(many.statements, one.statements)
      const lines = many.done.orders.map(({ intent, side, status }) => `${intent} ${side} ${status}`)
      const countOf = (line: string) => lines.filter((found) => found === line).length
      assert.strictEqual(many.done.unresolved.length, 100)
      assert.strictEqual(countOf("entry buy pending_cancel"), 100)
      assert.strictEqual(countOf("entry buy withdrawn"), 99)
      // 50 short positions of two shares; each bought entry that may still fill has its close: 100 at the venue, 100 unknown.
      assert.strictEqual(countOf("reduce buy intended"), 100)
      assert.strictEqual(countOf("reduce sell intended"), 100 + 200)
      const events = yield* sql(
        (
          client
        ) => client`SELECT event, count(*)::int AS n FROM order_events e JOIN orders o ON o.id = e.order_id
          WHERE o.account = 'paper-9' GROUP BY 1 ORDER BY 1`
      )
      assert.deepStrictEqual(events, [
        { event: "order.cancel_requested", n: 100 },
        // Those of the first flatten that waited were named again, except of entries, where each command has its own.
        { event: "order.intended", n: 400 + 2 },
        { event: "order.withdrawn", n: 100 }
      ])
    })
  )

  const resolve = (order: StoredOrder, outcome: Resolution, venueOrderId: string | null = null) =>
    OrderCommands.use((store) => store.resolve({ orderId: order.id, outcome, venueOrderId, reason: "seen" }))

  test(
    "[T5] an order is resolved from needs_operator alone, and not as absent when it has fills",
    Effect.gen(function* () {
      const order = yield* orphan
      for (const status of ORDER_STATUSES.filter((one) => one !== "needs_operator")) {
        yield* setStatus(order, status)
        assert.deepStrictEqual(yield* resolve(order, "not_placed"), { _tag: "WrongStatus", status })
      }
      yield* setStatus(order, "needs_operator")
      yield* sql((client) => client`UPDATE orders SET filled_quantity = 0.5 WHERE id = ${order.id}`)
      assert.deepStrictEqual(yield* resolve(order, "not_placed"), { _tag: "HasFills", filledQuantity: "0.5" })
      const placed = yield* resolve(order, "placed", "v-77")
      assert.deepInclude(placed._tag === "Done" ? placed.order : {}, {
        status: "partially_filled",
        venueOrderId: "v-77",
        attempt: 1,
        clientOrderId: order.clientOrderId
      })
      assert.strictEqual((yield* resolve(order, "placed"))._tag, "WrongStatus", "a second time")
    })
  )

  for (const rule of ["O", "N"] as const)
    test(
      `[T5 rule ${rule}] one that is not there goes out once more, under the next attempt's id, and exactly once`,
      Effect.gen(function* () {
        const venue = makeVenue({ rule })
        const order = yield* orphan
        const node = yield* startNode(venue)
        yield* untilStatus(order, "needs_operator")
        const done = yield* resolve(order, "not_placed")
        if (done._tag !== "Done") return assert.fail(done._tag)
        assert.deepInclude(done.order, { status: "intended", attempt: 2, sends: 0, venueOrderId: null })
        assert.notStrictEqual(done.order.clientOrderId, order.clientOrderId)
        yield* node.ring("orders:paper-1")
        yield* untilStatus(order, "filled")
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
        assert.deepStrictEqual(venue.creates(done.order.clientOrderId), { requests: 1, orders: 1 })
        assert.include(yield* history(order.id), "order.resolved_not_placed needs_operator>intended")
      })
    )

  test(
    "[T5] one that is not there and too old by now is not sent again",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "N" })
      const order = yield* orphan
      const node = yield* startNode(venue)
      yield* untilStatus(order, "needs_operator")
      yield* sql((client) => client`UPDATE orders SET valid_until = hf_clock() WHERE id = ${order.id}`)
      const done = yield* resolve(order, "not_placed")
      yield* node.ring("orders:paper-1")
      yield* untilStatus(order, "expired_unsent")
      assert.deepStrictEqual(venue.creates(done._tag === "Done" ? done.order.clientOrderId : ""), {
        requests: 0,
        orders: 0
      })
    })
  )

  test(
    "[T5] one that is reported as placed is compared with the venue, which has filled it meanwhile",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "N" })
      venue.scriptCreate({ _tag: "lost", applied: true })
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      venue.setInvisibleMs(60_000)
      const node = yield* startNode(venue, { stream: false })
      yield* untilStatus(order, "needs_operator")
      venue.setInvisibleMs(0)
      assert.strictEqual((yield* resolve(order, "placed"))._tag, "Done")
      yield* node.ring("reconcile:paper-1")
      yield* untilStatus(order, "filled")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
    })
  )

  test(
    "[T10] a position is adopted where all fills do not explain the difference, once, as an external share",
    Effect.gen(function* () {
      const fills = yield* FillsStore
      const positions = yield* PositionsStore
      const orders = yield* OrdersStore
      const grant = yield* own()
      const symbol = freshSymbol()
      const entry = yield* intend({ symbol, quantity: "2" })
      yield* orders.submit(grant, entry, permitOf())
      yield* fills.record("practice", fillOf(entry, { quantity: "2", price: "50" }))
      const adopt = (reference: string, price: string | null = null) =>
        fills.adopt({ positionId: positionId("paper-1", symbol), price, reference })
      assert.deepInclude(yield* adopt("a"), { _tag: "NotDisputed", ours: "2", venues: null })
      yield* positions.confirm(grant, [{ symbol, quantity: "5" }])
      assert.deepInclude(yield* adopt("a"), { _tag: "NotDisputed", ours: "2", venues: "5" }, "fills may come")
      yield* positions.confirm(grant, [{ symbol, quantity: "5" }], true)
      // The venue filled one more since it was asked, or while it answered: 5 is not what it holds.
      const more = fillOf(entry, { quantity: "1", price: "50" })
      yield* fills.record("practice", more)
      assert.deepStrictEqual(yield* adopt("a"), { _tag: "Outdated", account: "paper-1" })
      yield* positions.confirm(grant, [{ symbol, quantity: "5" }], true, () => 60_000)
      assert.strictEqual((yield* adopt("a"))._tag, "Outdated")
      assert.strictEqual(yield* held(symbol), "3")
      yield* fills.record("practice", {
        ...more,
        side: "sell",
        tradeId: "back",
        venueOrderId: "back",
        clientOrderId: null
      })
      yield* positions.confirm(grant, [{ symbol, quantity: "5" }], true)
      const adopted = yield* adopt("a")
      assert.deepInclude(adopted, { _tag: "Adopted", before: "2", quantity: "5", price: "50", again: false })
      if (adopted._tag !== "Adopted") return assert.fail(adopted._tag)
      assert.deepStrictEqual(yield* adopt("a"), { ...adopted, position: null, again: true }, "told once")
      assert.strictEqual((yield* adopt("b"))._tag, "NotDisputed")
      const [row] = yield* sql(
        (client) => client<{ readonly disputed: boolean; readonly shares: string }>`
        SELECT disputed_at IS NOT NULL AS disputed, (SELECT string_agg(h.strategy || ' ' || trim_scale(h.quantity), ', '
          ORDER BY h.strategy) FROM position_shares h WHERE h.position_id = p.id AND h.quantity <> 0) AS shares
        FROM positions p WHERE symbol = ${symbol}`
      )
      assert.deepStrictEqual(row, { disputed: false, shares: "default 2, external 3" })
      yield* positions.confirm(grant, [{ symbol, quantity: "-1" }], true)
      assert.deepInclude(yield* adopt("c", "60"), {
        _tag: "Adopted",
        before: "5",
        quantity: "-1",
        price: "60"
      })
      assert.strictEqual(yield* held(symbol), "-1")
      const other = freshSymbol()
      yield* positions.confirm(
        grant,
        [
          { symbol: other, quantity: "1" },
          { symbol, quantity: "-1" }
        ],
        true
      )
      const unpriced = { positionId: positionId("paper-1", other), price: null, reference: "d" }
      assert.strictEqual((yield* fills.adopt(unpriced))._tag, "PriceMissing")
      yield* positions.confirm(grant, [], false)
    })
  )

  test(
    "an account is unlocked through its fence: its owner changes nothing any more, and takes it again",
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const orders = yield* OrdersStore
      const node = yield* startNode(makeVenue())
      const guardOf = Effect.sync(() => node.leases.current("paper-1"))
      yield* until(
        "it is held",
        Effect.map(guardOf, (guard) => guard !== null)
      )
      const before = yield* guardOf
      if (before === null) return assert.fail("no guard")
      const unlocked = yield* accounts.unlock("paper-1", before.grant.owner)
      assert.deepStrictEqual(unlocked, {
        owner: before.grant.owner,
        fence: before.grant.fence + 1n,
        freeInMs: 0
      })
      const order = yield* intend({ symbol: freshSymbol() })
      assert.strictEqual((yield* orders.apply(before.grant, order, "order.held"))._tag, "StaleFence")
      const refused = yield* orders.submit(before.grant, order, permitOf())
      assert.deepStrictEqual(refused, { _tag: "NotSubmitted", why: "stale_fence" })
      node.leases.lose(before)
      assert.isFalse(before.mayWrite())
      yield* untilStatus(order, "filled")
      assert.isTrue(((yield* readAccount("paper-1"))?.fence ?? 0n) > before.grant.fence + 1n)
      assert.strictEqual(yield* accounts.unlock("nobody", null), null)
    })
  )

  it("an operator's close has an id of its command, position and share", () => {
    const key = { commandId: uuid(1), positionId: uuid(2), strategy: "s" }
    assert.notStrictEqual(closeOrderId(key), closeOrderId({ ...key, strategy: "t" }))
  })
})
