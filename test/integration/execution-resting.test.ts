/** Accounts that rest: opened all at once, woken one by one, and never resting on stale knowledge. */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, type Scope } from "effect"
import { executionLimits } from "../../src/domain/kernel/limits-execution.ts"
import type { MemoryBroker } from "../support/broker.memory.ts"
import type { BrokerConnection } from "../../src/layers/venues/broker.port.ts"
import { makeVenue, type NodeOptions, scenario, startNode, until, untilStatus } from "./execution-desk.ts"
import { intend, readAccount, sql, testSettings, world, type WorldServices } from "./execution-world.ts"

const names = Array.from({ length: executionLimits.awakeMax + 1 }, (_, n) => `rest-${n}`)
const settings = testSettings({
  accounts: Object.fromEntries(names.map((name) => [name, { broker: "practice", startingCash: "100000" }])),
  strategies: { default: { sources: ["default"], accounts: names } }
})
const [first = "", second = "", third = ""] = names

const start = (twin: MemoryBroker, options: NodeOptions = {}) =>
  Effect.map(startNode(twin, { accounts: names, reconciler: true, ...options }), (node) => {
    const inState = (state: string) => names.filter((name) => node.state(name) === state)
    return {
      ...node,
      inState,
      resting: (count: number) =>
        until(
          `${count} accounts rest`,
          Effect.sync(() => inState("Resting").length === count)
        ),
      isAwake: (account: string) =>
        until(
          `${account} is awake`,
          Effect.sync(() => node.state(account).startsWith("Owning"))
        )
    }
  })

/** A scenario on books that nobody has written in: each has a venue of its own. */
const fresh = <E>(body: Effect.Effect<void, E, Scope.Scope | WorldServices>) =>
  scenario(
    Effect.andThen(
      sql((client) =>
        Effect.all([
          client`UPDATE accounts SET fills_cursor = NULL`,
          client`UPDATE positions SET quantity = 0, confirmed_quantity = 0`,
          client`UPDATE orders SET settled_at = now()`
        ])
      ),
      body
    )
  )

/** Counts what the venue is asked. */
const counting = () => {
  const counts = { activity: 0, ofOne: 0 }
  const count = <A, E>(what: keyof typeof counts, look: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      counts[what] += 1
      return look
    })
  const wrap = (connection: BrokerConnection): BrokerConnection => ({
    ...connection,
    openOrders: (account) => count("ofOne", connection.openOrders(account)),
    positions: (account) => count("ofOne", connection.positions(account)),
    fillsSince: (account, cursor) => count("ofOne", connection.fillsSince(account, cursor)),
    activity: count("activity", connection.activity)
  })
  return { counts, wrap }
}

/** A venue whose first look at its activity waits for a test. */
const gated = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  const asked = yield* Deferred.make<void>()
  const wrap = (connection: BrokerConnection): BrokerConnection => ({
    ...connection,
    activity: Deferred.succeed(asked, undefined).pipe(
      Effect.andThen(Deferred.await(gate)),
      Effect.andThen(connection.activity)
    )
  })
  return { asked, gate, wrap }
})

layer(world(settings), { excludeTestServices: true })("accounts that rest", (it) => {
  it.effect("are owned and compared by a few looks for all, and by none for one", () =>
    fresh(
      Effect.gen(function* () {
        const { counts, wrap } = counting()
        const node = yield* start(makeVenue(), { wrap })
        yield* node.resting(names.length)
        const row = yield* readAccount(second)
        assert.strictEqual(row?.owner, "node-a/boot")
        assert.isNotNull(row?.reconciledAt)
        assert.deepInclude(node.detail(second), { account: second, fence: String(row?.fence), held_by: null })
        assert.strictEqual(counts.ofOne, 0)
        assert.isAtMost(counts.activity, 3)
        assert.strictEqual(node.leases.size(), names.length)
      })
    )
  )

  it.effect("an order wakes its account alone, and goes out", () =>
    fresh(
      Effect.gen(function* () {
        const node = yield* start(makeVenue())
        yield* node.resting(names.length)
        const order = yield* intend({ account: second, quantity: "1" })
        yield* node.ring(`orders:${second}`)
        yield* untilStatus(order, "filled")
        yield* node.isAwake(second)
        assert.strictEqual(node.inState("Resting").length, names.length - 1)
        assert.strictEqual(node.restarts(second), 0)
      })
    )
  )

  it.effect("an order that was there before wakes its account without a bell", () =>
    fresh(
      Effect.gen(function* () {
        const order = yield* intend({ account: third, symbol: "LEFT" })
        const node = yield* start(makeVenue())
        yield* untilStatus(order, "filled")
        yield* node.isAwake(third)
      })
    )
  )

  it.effect("[T10] what the venue has and we have not wakes: an open order, a fill nobody recorded", () =>
    fresh(
      Effect.gen(function* () {
        const twin = makeVenue()
        const at = new Date()
        const external = {
          symbol: "EXT",
          side: "buy",
          type: "market",
          quantity: "1",
          limitPrice: null,
          stopPrice: null,
          timeInForce: "gtc"
        } as const
        twin.holdFills(true)
        twin.book.createExternal({ account: second, ...external }, at)
        const traded = twin.book.createExternal({ account: third, ...external }, at)
        const bought = twin.book.fill(traded.venueOrderId, "1", "100", at)
        const closing = twin.book.createExternal({ account: third, ...external, side: "sell" }, at)
        twin.book.fill(closing.venueOrderId, "1", "100", at)
        const node = yield* start(twin)
        yield* node.resting(names.length - 2)
        yield* node.isAwake(second)
        yield* node.isAwake(third)
        yield* until(
          "the fills of a flat account are recorded",
          Effect.map(
            sql(
              (client) => client<{ count: number }>`SELECT count(*)::int AS count FROM trade_records
              WHERE account = ${third} AND symbol = ${bought.symbol}`
            ),
            ([row]) => row?.count === 2
          )
        )
      })
    )
  )

  it.effect("a bell in the middle of a comparison wakes after it, and none is lost", () =>
    fresh(
      Effect.gen(function* () {
        const { asked, gate, wrap } = yield* gated
        const node = yield* start(makeVenue(), { wrap, stream: false })
        yield* Deferred.await(asked)
        yield* node.ring(`orders:${first}`)
        assert.isFalse(node.state(first).startsWith("Owning"))
        assert.isEmpty(node.tree.snapshot().children.filter(({ id, ready }) => ready && names.includes(id)))
        yield* Deferred.succeed(gate, undefined)
        yield* node.isAwake(first)
        yield* node.resting(names.length - 1)
      })
    )
  )

  it.effect("what rings before the broker is asked is answered by that look, without a second one", () =>
    fresh(
      Effect.gen(function* () {
        const { counts, wrap } = counting()
        const node = yield* start(makeVenue(), { wrap, stream: false, pace: { renewEveryMs: 50 } })
        yield* node.resting(names.length)
        const [locked, release] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        yield* Effect.forkScoped(
          sql((client) =>
            client.withTransaction(
              client`LOCK TABLE accounts IN EXCLUSIVE MODE`.pipe(
                Effect.andThen(Deferred.succeed(locked, undefined)),
                Effect.andThen(Deferred.await(release))
              )
            )
          )
        )
        yield* Deferred.await(locked)
        const before = counts.activity
        yield* sql((client) => client`UPDATE nodes SET lease_until = now() - interval '1 second'`)
        yield* until(
          "all accounts are taken again",
          Effect.map(
            sql(
              (client) => client`SELECT 1 FROM pg_locks WHERE relation = 'accounts'::regclass AND NOT granted`
            ),
            (waiting) => waiting.length > 0
          )
        )
        for (const name of names) yield* node.ring(`reconcile:${name}`)
        yield* Deferred.succeed(release, undefined)
        yield* node.resting(names.length)
        yield* node.ring(`orders:${second}`)
        yield* node.isAwake(second)
        assert.strictEqual(counts.activity - before, 1)
      })
    )
  )

  it.effect("a broker that is silent is reported for each, and all rest again when it answers", () =>
    fresh(
      Effect.gen(function* () {
        const twin = makeVenue()
        const { counts, wrap } = counting()
        const node = yield* start(twin, { wrap })
        yield* node.resting(names.length)
        const fence = (yield* readAccount(second))?.fence
        twin.setReadable(false)
        twin.endStreams(1_006, "cut")
        yield* until(
          "nobody rests",
          Effect.sync(() => node.inState("BrokerAway").length === names.length)
        )
        assert.isFalse(node.protection.brokerAnswers(second))
        const asked = counts.activity
        yield* until(
          "it is asked again",
          Effect.sync(() => counts.activity >= asked + 2)
        )
        twin.setReadable(true)
        yield* node.resting(names.length)
        assert.isTrue(node.protection.brokerAnswers(second))
        assert.strictEqual((yield* readAccount(second))?.fence, fence, "its lease was never in doubt")
      })
    )
  )

  it.effect("[T4] without the node's lease nobody rests; with a new one each has a higher fence", () =>
    fresh(
      Effect.gen(function* () {
        const node = yield* start(makeVenue(), { pace: { renewEveryMs: 50 } })
        yield* node.resting(names.length)
        const before = (yield* readAccount(second))?.fence ?? 0n
        const held = node.leases.current(second)
        yield* sql((client) => client`UPDATE nodes SET lease_until = now() - interval '1 second'`)
        yield* until(
          "the guard is given up",
          Effect.sync(() => held?.mayWrite() === false)
        )
        yield* node.resting(names.length)
        assert.isAbove(Number((yield* readAccount(second))?.fence), Number(before))
        assert.isTrue(node.leases.current(second)?.mayWrite())
      })
    )
  )

  it.effect("[T4] a lease that is lost while its account is compared is taken again before it rests", () =>
    fresh(
      Effect.gen(function* () {
        const { asked, gate, wrap } = yield* gated
        const node = yield* start(makeVenue(), { wrap, stream: false, pace: { renewEveryMs: 50 } })
        yield* Deferred.await(asked)
        const held = node.leases.current(first)
        yield* sql((client) => client`UPDATE nodes SET lease_until = now() - interval '1 second'`)
        yield* until(
          "the guard is given up",
          Effect.sync(() => held?.mayWrite() === false)
        )
        yield* Deferred.succeed(gate, undefined)
        yield* node.resting(names.length)
        assert.isTrue(node.leases.current(first)?.mayWrite())
      })
    )
  )

  it.effect("[G11] one whose broker moved neither rests nor takes its lease before it is restarted", () =>
    fresh(
      Effect.gen(function* () {
        const node = yield* start(makeVenue(), { stream: false, pace: { renewEveryMs: 50 } })
        yield* node.resting(names.length)
        yield* node.moveBroker
        yield* sql(
          (client) => client`UPDATE accounts SET fence = fence + 1, owner = NULL, lease_until = NULL,
            reconciled_at = NULL WHERE id = ${second}`
        )
        yield* until(
          "it knows that its lease is lost",
          Effect.sync(() => node.leases.current(second) === null)
        )
        yield* Effect.sleep(300)
        assert.deepInclude(yield* readAccount(second), { owner: null, reconciledAt: null })
        assert.strictEqual(node.state(second), "TakingLease")
        yield* node.stopChild(second)
        yield* node.tree.restartChild(`root/${second}`)
        yield* node.isAwake(second)
      })
    )
  )

  it.effect(
    "[T4] a fence that rose behind our back is not rested under: the account is taken again, once",
    () =>
      fresh(
        Effect.gen(function* () {
          const { counts, wrap } = counting()
          const node = yield* start(makeVenue(), { wrap })
          yield* node.resting(names.length)
          const before = counts.activity
          const held = node.leases.current(second)
          yield* sql((client) => client`UPDATE accounts SET fence = fence + 5 WHERE id = ${second}`)
          yield* node.ring(`reconcile:${second}`)
          yield* until(
            "another guard",
            Effect.sync(() => node.leases.current(second) !== held && held !== null)
          )
          yield* node.resting(names.length)
          assert.strictEqual(node.detail(second)["fence"], String((held?.grant.fence ?? 0n) + 6n))
          assert.isAtMost(counts.activity - before, 4)
        })
      )
  )

  it.effect("a database that was away has all of them compared again", () =>
    fresh(
      Effect.gen(function* () {
        const { counts, wrap } = counting()
        const node = yield* start(makeVenue(), { wrap })
        yield* node.resting(names.length)
        const before = counts.activity
        yield* node.loseDatabase
        yield* until(
          "all wait",
          Effect.sync(() => node.inState("WaitingForDatabase").length === names.length)
        )
        yield* node.findDatabase
        yield* node.resting(names.length)
        assert.isAbove(counts.activity, before)
      })
    )
  )

  it.effect("[T4] accounts of another node are stood by, and taken over when it stops", () =>
    fresh(
      Effect.gen(function* () {
        const twin = makeVenue()
        const owner = yield* start(twin)
        yield* owner.resting(names.length)
        const other = yield* start(twin, { nodeId: "node-b", pace: { renewEveryMs: 100 } })
        yield* until(
          "it stands by",
          Effect.sync(() => other.inState("Standby").length === names.length)
        )
        assert.deepInclude(other.detail(second), { held_by: "node-a/boot", fence: null })
        yield* owner.tree.stop
        yield* other.resting(names.length)
        assert.strictEqual((yield* readAccount(second))?.owner, "node-b/boot")
      })
    )
  )
})
