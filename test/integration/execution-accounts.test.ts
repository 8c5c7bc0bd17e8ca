import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { defaultPace, makeDesk } from "../../src/actors/execution/account-desk.ts"
import { executeNext } from "../../src/actors/execution/account-step.ts"
import type { LeaseGuard } from "../../src/layers/accounts/accounts-lease.port.ts"
import { Protection } from "../../src/layers/orders/protection.port.ts"
import { RiskFigures } from "../../src/layers/orders/risk-figures.port.ts"
import { alertsQueue } from "../support/alerts-queue.ts"
import { layerBreakers } from "../support/breakers.ts"
import { makeMemoryMarket } from "../support/market.memory.ts"
import { Market } from "../../src/layers/market/market.port.ts"
import { Wake } from "../../src/layers/platform/wake.port.ts"
import { makeVenue, until } from "./execution-desk.ts"
import { nodeLimits } from "../../src/domain/kernel/limits-execution.ts"
import { AccountsStore, UNLOCKED } from "../../src/layers/accounts/accounts-store.port.ts"
import { Database } from "../../src/layers/database/database.port.ts"
import { NodeStore } from "../../src/layers/accounts/node-store.port.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.port.ts"
import { history, intend, openNode, own, permitOf, readAccount, sql, world } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("ownership of an account", (it) => {
  const define = (id: string) => ({ id, venue: "practice", startingCash: "100000", enabled: true })

  it.effect("an account is inserted once and keeps its values", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      assert.deepStrictEqual(yield* accounts.ensure([define("a-1")]), [])
      assert.deepStrictEqual(
        yield* accounts.ensure([{ id: "a-1", venue: "practice", startingCash: "5", enabled: true }]),
        []
      )
      assert.strictEqual((yield* readAccount("a-1"))?.startingCash, "100000")
    })
  )

  it.effect("a configured venue that contradicts the stored one is reported and not written", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* accounts.ensure([define("a-2")])
      const mismatches = yield* accounts.ensure([
        { id: "a-2", venue: "other", startingCash: "1", enabled: true }
      ])
      assert.deepStrictEqual(mismatches, [{ id: "a-2", stored: "practice", configured: "other" }])
      assert.strictEqual((yield* readAccount("a-2"))?.venue, "practice")
    })
  )

  it.effect("every activation raises the fence and forgets that the account was reconciled", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const first = yield* own("a-3")
      assert.isTrue(yield* accounts.markReconciled(first))
      const second = yield* accounts.take("a-3", first.owner)
      assert.isTrue(second._tag === "Taken" && second.grant.fence === first.fence + 1n)
      assert.isNull((yield* readAccount("a-3"))?.reconciledAt)
      assert.isFalse(yield* accounts.markReconciled(first))
    })
  )

  it.effect("the next life of a node takes over at once what the one before it had, another node waits", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* own("a-4", "node-4a/first", 0)
      yield* openNode("node-4a/second")
      yield* openNode("node-4b")
      assert.strictEqual((yield* accounts.take("a-4", "node-4a/second"))._tag, "Taken")
      const other = yield* accounts.take("a-4", "node-4b/boot")
      assert.strictEqual(other._tag, "HeldByOther")
      assert.isTrue(
        other._tag === "HeldByOther" && other.owner === "node-4a/second" && other.remainingMs > 50_000
      )
    })
  )

  it.effect("[T4] what is unlocked from another life is free when that one cannot send any more", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const nodes = yield* NodeStore
      yield* openNode("node-ub")
      const taken = (account: string) => accounts.take(account, "node-ub/boot")
      const past = (account: string) =>
        sql((client) => client`UPDATE accounts SET lease_until = hf_clock() WHERE id = ${account}`)
      // Its lease may be renewed by a request that is on its way, and its clock is counted from that.
      const frozen = yield* own("u-1", "node-ua", 500)
      const unlocked = yield* accounts.unlock("u-1", "node-ub/boot")
      assert.deepInclude(unlocked, { owner: frozen.owner, fence: frozen.fence + 1n })
      assert.isAbove(unlocked?.freeInMs ?? 0, nodeLimits.leaseMs - 1_000)
      const early = yield* taken("u-1")
      assert.isTrue(early._tag === "HeldByOther" && early.owner === UNLOCKED && early.remainingMs > 1_000)
      const waiting = yield* accounts.free(["u-1"])
      assert.isTrue(waiting.free.length === 0 && (waiting.nextMs ?? 0) > 1_000)
      assert.isFalse(yield* accounts.markReconciled(frozen))
      // Twice does not shorten it, and a longer lease is waited for.
      const again = yield* accounts.unlock("u-1", null)
      assert.isTrue((again?.freeInMs ?? 0) > 1_000 && again?.owner === UNLOCKED)
      yield* past("u-1")
      assert.deepStrictEqual((yield* accounts.free(["u-1"])).free, ["u-1"])
      const after = yield* taken("u-1")
      assert.isTrue(after._tag === "Taken" && after.grant.fence === frozen.fence + 3n)
      yield* own("u-2", "node-ua", 30_000)
      assert.isAbove((yield* accounts.unlock("u-2", "node-ub/boot"))?.freeInMs ?? 0, 20_000)
      // Of a life that has ended there is nothing to wait for.
      yield* own("u-3", "node-ua")
      yield* nodes.release("node-ua/boot")
      assert.strictEqual((yield* accounts.unlock("u-3", "node-ub/boot"))?.freeInMs, 0)
      assert.strictEqual((yield* taken("u-3"))._tag, "Taken")
      // The caller's own life keeps it: nobody else has it before the caller has let go.
      assert.strictEqual((yield* accounts.unlock("u-3", "node-ub/boot"))?.freeInMs, 0)
      yield* openNode("node-uc")
      assert.strictEqual((yield* accounts.take("u-3", "node-uc/boot"))._tag, "HeldByOther")
      assert.strictEqual((yield* taken("u-3"))._tag, "Taken")
    })
  )

  it.effect("two lives of one node: the live one keeps its lease and accounts, the other gets neither", () =>
    Effect.gen(function* () {
      const nodes = yield* NodeStore
      const accounts = yield* AccountsStore
      yield* own("a-10", "node-10/original")
      const mark = { host: null, pid: 1, startedAt: "1" }
      const copy = { nodeId: "node-10", life: "node-10/copy", mark }
      const opened = yield* nodes.open(copy, 1_000, null)
      assert.deepInclude(opened, { _tag: "Leased", life: "node-10/original" })
      assert.strictEqual((yield* nodes.open(copy, 1_000, "node-10/somebody"))._tag, "Leased")
      assert.strictEqual((yield* accounts.take("a-10", "node-10/copy"))._tag, "NoLease")
      assert.isTrue((yield* nodes.renew("node-10/original", 60_000)).held)
      assert.isFalse((yield* nodes.renew("node-10/copy", 60_000)).held)
      assert.strictEqual((yield* readAccount("a-10"))?.fence, 1n)
      // What a host proves is enough.
      assert.strictEqual((yield* nodes.open(copy, 60_000, "node-10/original"))._tag, "Held")
      assert.isFalse((yield* nodes.renew("node-10/original", 60_000)).held)
      assert.strictEqual((yield* accounts.take("a-10", "node-10/copy"))._tag, "Taken")
    })
  )

  it.effect(
    "a lease that is over on the database's clock is taken by another node, and its renewal says so",
    () =>
      Effect.gen(function* () {
        const nodes = yield* NodeStore
        const accounts = yield* AccountsStore
        const old = yield* own("a-5", "node-5a")
        yield* openNode("node-5b")
        yield* sql(
          (client) =>
            client`UPDATE nodes SET lease_until = now() - interval '1 second' WHERE life = 'node-5a/boot'`
        )
        const taken = yield* accounts.take("a-5", "node-5b/boot")
        assert.strictEqual(taken._tag, "Taken")
        assert.deepStrictEqual(yield* nodes.renew("node-5a/boot", 60_000), {
          held: true,
          lapsed: true,
          accounts: 0
        })
        yield* accounts.release([old])
        assert.strictEqual((yield* readAccount("a-5"))?.owner, "node-5b/boot", "nor can it release")
      })
  )

  it.effect("a renewal under way is waited for by whoever would take its accounts", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const database = yield* Database
      yield* own("a-8", "node-8a")
      yield* openNode("node-8b")
      yield* sql((client) => client`UPDATE nodes SET lease_until = now() WHERE life = 'node-8a/boot'`)
      const renewing = yield* Effect.forkChild(
        database.transact("test", (client) =>
          Effect.andThen(
            client`UPDATE nodes SET lease_until = clock_timestamp() + interval '1 minute' WHERE life = 'node-8a/boot'`,
            client`SELECT pg_sleep(1)`
          )
        )
      )
      yield* until(
        "the renewal to be under way",
        sql((client) =>
          Effect.map(
            client`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
            ({ length }) => length > 0
          )
        )
      )
      assert.strictEqual((yield* accounts.take("a-8", "node-8b/boot"))._tag, "HeldByOther")
      yield* Fiber.join(renewing)
    })
  )

  it.effect("an owner of the version before is judged by the lease in its own row", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* openNode("node-9b")
      yield* accounts.ensure([define("a-9")])
      const lease = (until: string) =>
        sql((client) =>
          client.unsafe(`UPDATE accounts SET owner = 'node-9a', lease_until = ${until} WHERE id = 'a-9'`)
        )
      yield* lease("now() + interval '1 minute'")
      assert.isTrue((yield* readAccount("a-9"))?.leased)
      assert.deepStrictEqual((yield* accounts.free(["a-9"])).free, [])
      assert.deepInclude(yield* accounts.take("a-9", "node-9b/boot"), {
        _tag: "HeldByOther",
        owner: "node-9a"
      })
      yield* lease("now() - interval '1 second'")
      assert.deepStrictEqual((yield* accounts.free(["a-9"])).free, ["a-9"])
      assert.strictEqual((yield* accounts.take("a-9", "node-9b/boot"))._tag, "Taken")
    })
  )

  it.effect("a released account is free for everybody", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const grant = yield* own("a-6", "node-a")
      yield* openNode("node-b")
      assert.deepStrictEqual((yield* accounts.free(["a-6"])).free, [])
      yield* accounts.release([grant])
      assert.deepStrictEqual((yield* accounts.free(["a-6"])).free, ["a-6"])
      assert.strictEqual((yield* accounts.take("a-6", "node-b/boot"))._tag, "Taken")
    })
  )

  it.effect("a life whose lease is over takes nothing, not even what is free", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* accounts.ensure([define("a-11")])
      const life = yield* openNode("node-11")
      yield* sql((client) => client`UPDATE nodes SET lease_until = clock_timestamp() WHERE life = ${life}`)
      assert.strictEqual((yield* accounts.take("a-11", life))._tag, "NoLease")
      assert.deepInclude(yield* readAccount("a-11"), { owner: null, fence: 0n })
      const renewal = yield* NodeStore.use((nodes) => nodes.renew(life, 60_000))
      assert.isTrue(renewal.lapsed, "over for a moment is over")
    })
  )

  it.effect("what its own life has is no other owner's: the take is tried again, not waited for", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const { owner: life } = yield* own("a-12", "node-12")
      const [moved, release] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      // Between the two statements of a take its row, or the lease of its node, may become the life's own.
      const other = yield* Effect.forkChild(
        sql((client) =>
          client.withTransaction(
            client`UPDATE accounts SET fence = fence + 1 WHERE id = 'a-12'`.pipe(
              Effect.andThen(Deferred.succeed(moved, undefined)),
              Effect.andThen(Deferred.await(release))
            )
          )
        )
      )
      yield* Deferred.await(moved)
      const taking = yield* Effect.forkChild(accounts.take("a-12", life))
      yield* until(
        "the take waits",
        Effect.map(
          sql((client) => client`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`),
          (rows) => rows.length > 0
        )
      )
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(other)
      assert.strictEqual((yield* Fiber.join(taking))._tag, "NoLease")
      assert.strictEqual((yield* accounts.take("a-12", life))._tag, "Taken")
    })
  )

  it.effect("[T4] a grant that its own life took again marks nothing and releases nothing", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const former = yield* own("a-12", "node-12")
      const taken = yield* accounts.take("a-12", former.owner)
      assert.strictEqual(taken._tag, "Taken")
      assert.isFalse(yield* accounts.markReconciled(former))
      yield* accounts.release([former])
      assert.deepInclude(yield* readAccount("a-12"), { owner: former.owner, reconciledAt: null })
    })
  )

  it.effect("an account that was never ensured is missing", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      assert.strictEqual((yield* accounts.take("nobody", yield* openNode()))._tag, "Missing")
      assert.isNull(yield* readAccount("nobody"))
    })
  )

  it.effect("of two nodes that take a free account at once exactly one gets it", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* accounts.ensure([define("a-7")])
      for (let n = 0; n < 8; n += 1) yield* openNode(`node-${n}`)
      const outcomes = yield* Effect.all(
        Array.from({ length: 8 }, (_, n) => accounts.take("a-7", `node-${n}/boot`)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(outcomes.filter((outcome) => outcome._tag === "Taken").length, 1)
      assert.strictEqual((yield* readAccount("a-7"))?.fence, 1n)
    })
  )

  it.effect("a step of the former owner changes no row after a takeover", () =>
    Effect.gen(function* () {
      const orders = yield* OrdersStore
      const old = yield* own("paper-1")
      const order = yield* intend()
      yield* own("paper-1")
      assert.deepStrictEqual(yield* orders.submit(old, order, permitOf()), {
        _tag: "NotSubmitted",
        why: "stale_fence"
      })
      const applied = yield* orders.apply(old, order, "order.denied")
      assert.strictEqual(applied._tag, "StaleFence")
      assert.strictEqual((yield* orders.byId(order.id))?.status, "intended")
      assert.deepStrictEqual(yield* history(order.id), [])
    })
  )

  it.effect("a lease that is over on the database's clock ends the step; it is no reason to look again", () =>
    Effect.gen(function* () {
      const grant = yield* own()
      const order = yield* intend({ symbol: "OVER" })
      yield* sql(
        (client) => client`UPDATE nodes SET lease_until = clock_timestamp() WHERE life = ${grant.owner}`
      )
      assert.deepStrictEqual(yield* OrdersStore.use((orders) => orders.submit(grant, order, permitOf())), {
        _tag: "NotSubmitted",
        why: "lease_over"
      })
      const venue = makeVenue()
      // By its own clocks this process still believes in the lease.
      const guard: LeaseGuard = {
        grant,
        mayWrite: () => true,
        remainingMs: () => 1_000,
        giveUp: () => undefined
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const scope = yield* Effect.scope
          const desk = makeDesk(
            { path: "test", fork: (_name, effect) => Effect.forkIn(effect, scope) },
            "paper-1",
            venue.connection,
            defaultPace
          )
          desk.setGuard(guard)
          const outcome = yield* executeNext(desk).pipe(
            Effect.provide(
              Layer.mergeAll(
                Protection.layer,
                RiskFigures.layer,
                Layer.mergeAll(alertsQueue, layerBreakers).pipe(Layer.provideMerge(Wake.layer))
              )
            ),
            Effect.provideService(Market, (yield* makeMemoryMarket).service)
          )
          assert.deepStrictEqual(outcome, { _tag: "LeaseOver" })
        })
      )
      assert.strictEqual(venue.creates(order.clientOrderId).requests, 0)
    })
  )
})
