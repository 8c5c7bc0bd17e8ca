import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, type Scope } from "effect"
import { SendPermit } from "../../src/layers/venues/broker.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import {
  committedAlerts,
  freshSymbol,
  makeVenue,
  orphan,
  scenario,
  startNode,
  statusOf,
  until,
  untilStatus
} from "./execution-desk.ts"
import {
  history,
  intend,
  own,
  permitOf,
  readAccount,
  sql,
  world,
  type WorldServices
} from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("executor", (it) => {
  const test = <E>(name: string, body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
    it.effect(name, () => scenario(body))

  test(
    "an intended order is committed, sent once, acked and filled",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      yield* startNode(venue)
      yield* untilStatus(order, "filled")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      const events = yield* history(order.id)
      assert.strictEqual(events[0], "order.submitted intended>submitting")
      assert.isFalse(
        events.some((line) => line.endsWith("!")),
        events.join(", ")
      )
      assert.instanceOf((yield* readAccount("paper-1"))?.reconciledAt, Date)
    })
  )

  test(
    "[G11] one whose broker moved takes its lease again by the new connection only, after its restart",
    Effect.gen(function* () {
      yield* own()
      const node = yield* startNode(makeVenue(), { pace: { renewEveryMs: 50 } })
      yield* untilStatus(yield* intend({ symbol: freshSymbol() }), "filled")
      // As the commit of a reload, before the executor is stopped.
      yield* node.moveBroker
      yield* sql(
        (client) => client`UPDATE accounts SET fence = fence + 1, owner = NULL, lease_until = NULL,
          reconciled_at = NULL WHERE id = 'paper-1'`
      )
      const order = yield* intend({ symbol: freshSymbol() })
      yield* until(
        "it knows that its lease is lost",
        Effect.sync(() => node.leases.current("paper-1") === null)
      )
      yield* Effect.sleep(300)
      assert.isNull((yield* readAccount("paper-1"))?.owner)
      assert.strictEqual(yield* statusOf(order), "intended")
      yield* node.stopChild("paper-1")
      yield* node.tree.restartChild("root/paper-1")
      yield* untilStatus(order, "filled")
    })
  )

  test(
    "[T5 K3 stale] an intended order that is too old is never sent, and an alert says so",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* intend({ symbol: freshSymbol(), validMs: -1 })
      const node = yield* startNode(venue)
      yield* untilStatus(order, "expired_unsent")
      let kinds: ReadonlyArray<string> = []
      yield* until(
        "the alert is raised",
        Effect.map(node.alerts, (raised) => {
          kinds = [...kinds, ...raised]
          return kinds.includes("order.expired_unsent")
        })
      )
      assert.include(yield* committedAlerts, "order.expired_unsent:paper-1")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 0, orders: 0 })
    })
  )

  test(
    "a documented refusal is a rejection, sent once and settled",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.scriptCreate({ _tag: "refuse", code: "insufficient_funds", message: "no" })
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      yield* startNode(venue)
      yield* untilStatus(order, "rejected")
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 1)
      const stored = yield* OrdersStore.use((orders) => orders.byId(order.id))
      assert.deepInclude(stored, { reason: "insufficient_funds: no" })
      assert.instanceOf(stored?.settledAt, Date)
    })
  )

  test(
    "an unknown order does not hold up other symbols",
    Effect.gen(function* () {
      const venue = makeVenue({ propagationMs: 600_000 })
      venue.scriptCreate({ _tag: "lost", applied: false })
      yield* own()
      const same = freshSymbol()
      const stuck = yield* intend({ symbol: same })
      const behind = yield* intend({ symbol: same })
      const other = yield* intend({ symbol: freshSymbol() })
      yield* startNode(venue)
      yield* untilStatus(other, "filled")
      assert.strictEqual(yield* statusOf(stuck), "resolving")
      assert.strictEqual(yield* statusOf(behind), "intended")
    })
  )

  test(
    "creates of one account are strictly serial, different accounts go in parallel",
    Effect.gen(function* () {
      const venue = makeVenue()
      let now = 0
      // Reached when two creates are under way at once, however slow the machine is.
      const together = yield* Deferred.make<void>()
      const perAccount = new Map<string, number>()
      yield* own("paper-1")
      yield* own("paper-2")
      const made = yield* Effect.forEach(["paper-1", "paper-1", "paper-2", "paper-2"], (account) =>
        intend({ account, symbol: freshSymbol() })
      )
      yield* startNode(venue, {
        accounts: ["paper-1", "paper-2"],
        wrap: (connection) => ({
          ...connection,
          create: (create) =>
            Effect.gen(function* () {
              const alone = (perAccount.get(create.account) ?? 0) + 1
              perAccount.set(create.account, alone)
              now += 1
              assert.strictEqual(alone, 1, "one round trip of an account at a time")
              if (now === 2) yield* Deferred.succeed(together, undefined)
              yield* Effect.timeoutOption(Deferred.await(together), 20_000)
              // Time for a second create of the account to come, if anything let it.
              yield* Effect.sleep(20)
              perAccount.set(create.account, alone - 1)
              now -= 1
              return yield* connection.create(create)
            })
        })
      })
      yield* Effect.forEach(made, (order) => untilStatus(order, "filled"))
      assert.isTrue(yield* Deferred.isDone(together), "two accounts at once")
    })
  )

  test(
    "[T4] a process frozen between its commit and the socket past its lease sends nothing when it wakes up",
    Effect.gen(function* () {
      const venue = makeVenue()
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      let asked = 0
      const permits: Array<boolean> = []
      const node = yield* startNode(venue, {
        pace: { leaseMs: 1_000, leaseMarginMs: 200, renewEveryMs: 300 },
        wrap: (connection) => ({
          ...connection,
          create: (create) =>
            Effect.gen(function* () {
              asked += 1
              // The freeze of SIGSTOP: nothing of the process runs, the clock goes on.
              if (asked === 1)
                yield* Effect.sync(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200))
              const permit = yield* SendPermit
              permits.push(permit())
              return yield* connection.create(create)
            })
        })
      })
      yield* untilStatus(order, "filled")
      assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      assert.strictEqual(permits[0], false, "the permit is gone after the freeze")
      assert.isTrue(permits.at(-1), "the resend after the look-ups has one")
      const [lost] = yield* sql(
        (client) => client`SELECT detail->>'reason' AS reason FROM order_events
          WHERE order_id = ${order.id} AND event = 'order.outcome_lost'`
      )
      assert.deepStrictEqual(
        lost,
        { reason: "its sender is gone" },
        "it writes nothing under its former lease"
      )
      assert.strictEqual(node.restarts("paper-1"), 0)
    })
  )

  test(
    "[K11] a standby node takes over when the owner is frozen, and the owner writes nothing when it wakes up",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "R" })
      const orders = yield* OrdersStore
      // Node A is frozen in the middle of a create: its answer is held back, and its lease runs out below.
      const frozen = yield* own("paper-1", "node-a", 10_000)
      const order = yield* intend({ symbol: freshSymbol() })
      const submitted = yield* orders.submit(frozen, order, permitOf())
      assert.strictEqual(submitted._tag, "Submitting")
      venue.book.create({ ...order, account: "paper-1" }, new Date())
      const node = yield* startNode(venue, { nodeId: "node-b" })
      yield* until(
        "standby",
        Effect.sync(() => node.state("paper-1") === "Standby")
      )
      yield* sql((client) => client`UPDATE nodes SET lease_until = now() WHERE life = 'node-a/boot'`)
      yield* untilStatus(order, "acked")
      const late = yield* orders.apply(frozen, order, "order.rejected", {
        reason: "a late lie",
        venueFilled: "0"
      })
      assert.strictEqual(late._tag, "StaleFence")
      assert.strictEqual(yield* statusOf(order), "acked")
      assert.strictEqual(venue.creates(order.clientOrderId).orders, 1)
    })
  )

  test(
    "two nodes on one account never both send: of fifty orders each is created once",
    Effect.gen(function* () {
      const venue = makeVenue({ rule: "N" })
      yield* own("paper-1", "node-a", 1)
      const made = yield* Effect.forEach(Array.from({ length: 50 }), () => intend({ symbol: freshSymbol() }))
      yield* startNode(venue, {
        nodeId: "node-a",
        pace: { leaseMs: 2_000, leaseMarginMs: 500, renewEveryMs: 300 }
      })
      yield* startNode(venue, {
        nodeId: "node-b",
        pace: { leaseMs: 2_000, leaseMarginMs: 500, renewEveryMs: 300 }
      })
      yield* Effect.forEach(made, (order) => untilStatus(order, "filled"))
      for (const order of made)
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
    })
  )

  test(
    "[T8] a stop finishes the round trip under way, stores its answer and gives the lease back",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      venue.scriptCreate({ _tag: "delay", ms: 400 })
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      const second = yield* intend({ symbol: freshSymbol() })
      const node = yield* startNode(venue)
      yield* untilStatus(order, "submitting")
      yield* node.tree.stop
      assert.strictEqual(yield* statusOf(order), "acked")
      assert.strictEqual(yield* statusOf(second), "intended", "nothing new was begun")
      assert.deepInclude(yield* readAccount("paper-1"), { owner: null, leased: false })
    })
  )

  test(
    "[T8] a stop waits for the resend of a resolver before it gives the account back",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      const order = yield* orphan
      venue.scriptCreate({ _tag: "delay", ms: 600 })
      const owners: Array<string | null> = []
      const context = yield* Effect.context<WorldServices>()
      const node = yield* startNode(venue, {
        wrap: (connection) => ({
          ...connection,
          create: (create) =>
            Effect.tap(connection.create(create), () =>
              Effect.map(readAccount("paper-1"), (row) => owners.push(row?.owner ?? null)).pipe(
                Effect.provide(context),
                Effect.orDie
              )
            )
        })
      })
      yield* until(
        "the resend to be under way",
        Effect.sync(() => venue.creates(order.clientOrderId).requests === 1)
      )
      yield* node.tree.stop
      assert.deepStrictEqual(owners, ["node-a/boot"], "the account was released under the round trip")
      assert.strictEqual(yield* statusOf(order), "acked")
      assert.deepInclude(yield* readAccount("paper-1"), { owner: null, leased: false })
    })
  )

  test(
    "[T4] a lease that is lost under the resend of a resolver is taken again only after that round trip",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      const order = yield* orphan
      venue.scriptCreate({ _tag: "delay", ms: 400 })
      const node = yield* startNode(venue)
      yield* until(
        "the resend to be under way",
        Effect.sync(() => venue.creates(order.clientOrderId).requests === 1)
      )
      const before = (yield* readAccount("paper-1"))?.fence ?? 0n
      for (const guard of node.leases.all()) node.leases.lose(guard)
      yield* untilStatus(order, "acked")
      yield* until(
        "the next grant",
        Effect.map(readAccount("paper-1"), (row) => row?.fence === before + 1n)
      )
      assert.strictEqual((yield* history(order.id)).at(-1), "order.acked submitting>acked")
    })
  )

  test(
    "[T7] losing the database is a state and not a death; the order goes out when it is back",
    Effect.gen(function* () {
      const venue = makeVenue()
      const node = yield* startNode(venue)
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      yield* node.loseDatabase
      yield* until(
        "waiting",
        Effect.sync(() => node.state("paper-1") === "WaitingForDatabase")
      )
      yield* node.findDatabase
      const order = yield* intend({ symbol: freshSymbol() })
      yield* untilStatus(order, "filled")
      assert.strictEqual(node.restarts("paper-1"), 0)
    })
  )

  test(
    "a broker that is away gets no creates; orders go out when it answers again",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.scriptCreate({ _tag: "notSent" })
      yield* own()
      const first = yield* intend({ symbol: freshSymbol() })
      const node = yield* startNode(venue)
      yield* untilStatus(first, "filled")
      venue.setReadable(false)
      yield* node.ring("reconcile:paper-1")
      yield* until(
        "away",
        Effect.sync(() => node.state("paper-1") === "Owning.BrokerAway")
      )
      const second = yield* intend({ symbol: freshSymbol() })
      yield* node.ring("orders:paper-1")
      yield* Effect.sleep(150)
      assert.strictEqual(yield* statusOf(second), "intended")
      venue.setReadable(true)
      yield* untilStatus(second, "filled")
      assert.deepStrictEqual(venue.creates(second.clientOrderId), { requests: 1, orders: 1 })
    })
  )

  test(
    "a create without an answer is evidence at once: no entry leaves, of no account of that broker, before it answers",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.scriptCreate({ _tag: "lost", applied: false })
      yield* own()
      const node = yield* startNode(venue, { accounts: ["paper-1", "paper-2"] })
      yield* until(
        "idle",
        Effect.sync(() => ["paper-1", "paper-2"].every((account) => node.state(account) === "Owning.Idle"))
      )
      venue.setReadable(false)
      const first = yield* intend({ symbol: freshSymbol() })
      const second = yield* intend({ symbol: freshSymbol() })
      yield* node.ring("orders:paper-1")
      yield* until(
        "paper-1 and paper-2 away",
        Effect.sync(
          () =>
            !node.protection.brokerAnswers("paper-1") &&
            !node.protection.brokerAnswers("paper-2") &&
            node.state("paper-1") !== "Owning.Idle"
        )
      )
      const third = yield* intend({ symbol: freshSymbol(), account: "paper-2" })
      yield* node.ring("orders:paper-2")
      yield* Effect.sleep(400)
      assert.strictEqual(venue.creates(first.clientOrderId).requests, 1)
      assert.strictEqual(yield* statusOf(second), "intended")
      assert.strictEqual(yield* statusOf(third), "intended")
      venue.setReadable(true)
      yield* Effect.forEach([first, second, third], (order) => untilStatus(order, "filled"))
      for (const order of [second, third])
        assert.deepStrictEqual(venue.creates(order.clientOrderId), { requests: 1, orders: 1 })
      yield* until(
        "answering again",
        Effect.sync(() => ["paper-1", "paper-2"].every((account) => node.protection.brokerAnswers(account)))
      )
    })
  )

  test(
    "a cancel without an answer is evidence as well",
    Effect.gen(function* () {
      const venue = makeVenue()
      venue.holdFills(true)
      yield* own()
      const order = yield* intend({ symbol: freshSymbol() })
      const node = yield* startNode(venue)
      yield* untilStatus(order, "acked")
      yield* until(
        "idle",
        Effect.sync(() => node.state("paper-1") === "Owning.Idle")
      )
      venue.setReadable(false)
      venue.scriptCancel({ _tag: "lost", applied: false })
      yield* sql((client) =>
        Effect.all([
          client`UPDATE orders SET status = 'pending_cancel' WHERE id = ${order.id}`,
          client`INSERT INTO order_events (order_id, event, from_status, to_status)
            VALUES (${order.id}, 'order.cancel_requested', 'acked', 'pending_cancel')`
        ])
      )
      yield* node.ring("orders:paper-1")
      yield* until(
        "away",
        Effect.sync(() => !node.protection.brokerAnswers("paper-1"))
      )
      venue.setReadable(true)
      yield* untilStatus(order, "cancelled", 15_000)
    })
  )

  it.effect("the bell of an order wakes its executor at once", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const venue = makeVenue()
        const node = yield* startNode(venue, { pace: { pollMs: 60_000 } })
        yield* until(
          "idle",
          Effect.sync(() => node.state("paper-1") === "Owning.Idle")
        )
        const order = yield* intend({ symbol: freshSymbol() })
        yield* node.ring("orders:paper-1")
        yield* untilStatus(order, "filled", 2_000)
      })
    )
  )
})
