import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { AccountsStore } from "../../src/layers/accounts/accounts-store.ts"
import { OrdersStore } from "../../src/layers/orders/orders-store.ts"
import { history, intend, own, sql, world, permitOf } from "./execution-world.ts"

layer(world(), { excludeTestServices: true })("ownership of an account", (it) => {
  const define = (id: string) => ({ id, venue: "practice", startingCash: "100000" })

  it.effect("an account is inserted once and keeps its values", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      assert.deepStrictEqual(yield* accounts.ensure([define("a-1")]), [])
      assert.deepStrictEqual(
        yield* accounts.ensure([{ id: "a-1", venue: "practice", startingCash: "5" }]),
        []
      )
      assert.strictEqual((yield* accounts.read("a-1"))?.startingCash, "100000")
    })
  )

  it.effect("a configured venue that contradicts the stored one is reported and not written", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* accounts.ensure([define("a-2")])
      const mismatches = yield* accounts.ensure([{ id: "a-2", venue: "other", startingCash: "1" }])
      assert.deepStrictEqual(mismatches, [{ id: "a-2", stored: "practice", configured: "other" }])
      assert.strictEqual((yield* accounts.read("a-2"))?.venue, "practice")
    })
  )

  it.effect("every activation raises the fence and forgets that the account was reconciled", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const first = yield* own("a-3")
      assert.isTrue(yield* accounts.markReconciled(first))
      const second = yield* accounts.take("a-3", "node-a", 60_000)
      assert.isTrue(second._tag === "Taken" && second.grant.fence === first.fence + 1n)
      assert.isNull((yield* accounts.read("a-3"))?.reconciledAt)
      assert.isFalse(yield* accounts.markReconciled(first))
    })
  )

  it.effect("the next life of the same node takes over at once, another node waits", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* own("a-4", "node-a")
      const other = yield* accounts.take("a-4", "node-b", 1_000)
      assert.strictEqual(other._tag, "HeldByOther")
      assert.isTrue(other._tag === "HeldByOther" && other.owner === "node-a" && other.remainingMs > 50_000)
      assert.strictEqual((yield* accounts.take("a-4", "node-a", 1_000))._tag, "Taken")
    })
  )

  it.effect("a lease that is over on the database's clock is taken by another node", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const old = yield* own("a-5", "node-a")
      yield* sql(
        (client) => client`UPDATE accounts SET lease_until = now() - interval '1 second' WHERE id = 'a-5'`
      )
      const taken = yield* accounts.take("a-5", "node-b", 60_000)
      assert.strictEqual(taken._tag, "Taken")
      assert.isFalse(yield* accounts.renew(old, 60_000), "the former owner cannot renew")
      yield* accounts.release(old)
      assert.strictEqual((yield* accounts.read("a-5"))?.owner, "node-b", "nor release")
    })
  )

  it.effect("a released lease is free for everybody", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      const grant = yield* own("a-6", "node-a")
      yield* accounts.release(grant)
      assert.strictEqual((yield* accounts.take("a-6", "node-b", 1_000))._tag, "Taken")
    })
  )

  it.effect("an account that was never ensured is missing", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      assert.strictEqual((yield* accounts.take("nobody", "node-a", 1_000))._tag, "Missing")
      assert.isNull(yield* accounts.read("nobody"))
    })
  )

  it.effect("of two nodes that take a free account at once exactly one gets it", () =>
    Effect.gen(function* () {
      const accounts = yield* AccountsStore
      yield* accounts.ensure([define("a-7")])
      const outcomes = yield* Effect.all(
        Array.from({ length: 8 }, (_, n) => accounts.take("a-7", `node-${n}`, 60_000)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(outcomes.filter((outcome) => outcome._tag === "Taken").length, 1)
      assert.strictEqual((yield* accounts.read("a-7"))?.fence, 1n)
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
})
