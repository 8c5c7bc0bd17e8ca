/** A sleeper alone: what rings when, what it publishes, and that it wakes once. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Sleeper } from "../../../src/actors/execution/account-sleeper.ts"
import { AccountLeases, type LeaseGuard } from "../../../src/layers/accounts/accounts-lease.port.ts"
import { RestingAccounts } from "../../../src/layers/execution/resting-accounts.port.ts"
import { Wake } from "../../../src/layers/platform/wake.port.ts"
import { makeMemoryBroker } from "../../support/broker.memory.ts"

const guardOf = (remainingMs: () => number): LeaseGuard => ({
  grant: { account: "paper-1", owner: "node-a/boot", fence: 3n },
  remainingMs,
  mayWrite: () => remainingMs() > 0,
  giveUp: () => undefined
})

const setUp = Effect.gen(function* () {
  const resting = yield* RestingAccounts
  const leases = yield* AccountLeases
  const wake = yield* Wake
  const seen = { begun: 0, ready: [] as Array<boolean | undefined> }
  let guard: LeaseGuard | null = null
  const make = () =>
    new Sleeper({
      account: "paper-1",
      broker: "practice",
      connection: makeMemoryBroker({ name: "practice" }).connection,
      leases,
      resting,
      wake,
      guard: () => guard,
      setGuard: (next) => {
        guard = next
      },
      publish: ({ ready }) => void seen.ready.push(ready),
      begin: () => {
        seen.begun += 1
      }
    })
  return { leases, make, resting, seen, wake }
})
const world = Layer.mergeAll(RestingAccounts.layer, AccountLeases.layer, Wake.layer)

it.effect("is not ready before it was opened, and not when the time of its lease is over", () =>
  Effect.gen(function* () {
    const { make, seen } = yield* setUp
    const sleeper = make()
    assert.deepStrictEqual(seen.ready, [false])
    let leftMs = 5
    const guard = guardOf(() => leftMs)
    sleeper.begin()
    sleeper.hold(guard)
    sleeper.rest(guard)
    assert.deepStrictEqual(seen.ready, [false, true])
    assert.deepInclude(sleeper.status(), { state: "Resting", ready: true })
    leftMs = 0
    assert.deepInclude(sleeper.status(), { state: "Overdue", ready: false })
  }).pipe(Effect.provide(world))
)

it.effect("a bell of before it listened wakes it, once", () =>
  Effect.gen(function* () {
    const { make, resting, seen, wake } = yield* setUp
    wake.notify("orders:paper-1")
    const sleeper = make()
    assert.strictEqual(seen.begun, 1)
    assert.strictEqual(sleeper.phase(), "Over")
    assert.deepStrictEqual(resting.takeDue(), [])
    wake.notify("orders:paper-1")
    sleeper.awaken()
    sleeper.begin()
    sleeper.rest(guardOf(() => 1))
    assert.deepStrictEqual([seen.begun, sleeper.phase()], [1, "Over"])
  }).pipe(Effect.provide(world))
)

it.effect("an order of an account that another life has wakes nobody here; a takeover compares it", () =>
  Effect.gen(function* () {
    const { leases, make, resting, seen, wake } = yield* setUp
    const sleeper = make()
    resting.takeDue()
    sleeper.begin()
    sleeper.standBy("node-b/boot")
    wake.notify("orders:paper-1")
    assert.strictEqual(seen.begun, 0)
    leases.wanted().get("paper-1")?.()
    assert.deepStrictEqual(resting.takeDue(), [sleeper])
  }).pipe(Effect.provide(world))
)
