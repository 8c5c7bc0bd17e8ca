import { assert, describe, it } from "@effect/vitest"
import { formatDecimal } from "../../../src/domain/kernel/decimal.ts"
import type { DecisionSignal } from "../../../src/domain/decision/plan-input.ts"
import type { SidePolicy } from "../../../src/domain/orders/sizing.ts"
import { MoneyPath } from "./money-path.ts"

/** The mutation tester repeats this for every mutant, and its verdict must not depend on the seed. */
const isMutation = process.env["TEST_SIZE"] === "mutation"
const RUNS = process.env["TEST_SIZE"] === "long" ? 200_000 : isMutation ? 250 : 10_000

/** Numbers that follow from a seed (mulberry32). */
const chooser = (seed: number) => {
  let state = seed >>> 0
  return (count: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count
  }
}

const policies: ReadonlyArray<SidePolicy> = ["both", "long_only", "short_only"]

/** Alerts of every kind, some of them with a quantity and some for one strategy by name. */
const alert = (choose: (count: number) => number): Partial<DecisionSignal> => {
  const quantity = [null, "1", "2", "3"][choose(4)] ?? null
  const strategy = ["a", "b", null][choose(3)] ?? null
  const kinds: ReadonlyArray<Partial<DecisionSignal>> = [
    { action: "BUY", direction: "LONG" },
    { action: "SELL", direction: "LONG" },
    { action: "SELL", direction: "SHORT" },
    { action: "BUY", direction: "SHORT" },
    { action: "BUY" },
    { action: "SELL" },
    { intent: "close" },
    { intent: "reverse" },
    { intent: "target", positionSize: String(choose(7) - 3) },
    { action: "SELL", intent: "close", marketPosition: "flat" },
    { action: "SELL", marketPosition: "long" }
  ]
  return { ...kinds[choose(kinds.length)], quantity, strategy }
}

const play = (seed: number): MoneyPath => {
  const choose = chooser(seed)
  const world = new MoneyPath({ a: policies[choose(3)] ?? "both", b: policies[choose(3)] ?? "both" })
  let orders = 1 + choose(8)
  for (let steps = 0; steps < 60 && (orders > 0 || world.atVenue > 0); steps += 1) {
    const what = choose(16)
    if (what < 4 && orders > 0) {
      orders -= 1
      world.signal(alert(choose))
    } else if (what === 4 && orders > 0) {
      orders -= 1
      world.stop(choose(2) === 0 ? "a" : "b")
    } else if (what < 9) world.send(choose(6) === 0)
    else if (what < 12) world.fill(choose(8), choose(2) === 0)
    else if (what < 14) world.deliver(choose(8))
    else if (what === 15) world.restart()
    else if (choose(3) === 0) world.toggleReducing()
    else world.reject(choose(8))
  }
  world.settle()
  return world
}

describe("any interleaving of alerts, stops, fills, lost answers and restarts", () => {
  const first = Number(process.env["SEED"] ?? (isMutation ? 1 : Math.floor(Math.random() * 1_000_000_000)))
  it(`[${RUNS} runs from seed ${first}] takes no position through zero that nobody wanted there, and every book adds up`, () => {
    for (let run = 0; run < (process.env["SEED"] === undefined ? RUNS : 1); run += 1) {
      try {
        const world = play(first + run)
        assert.strictEqual(world.venueQuantity, formatDecimal(world.position.quantity))
        // Whatever happened before, who says close is flat afterwards.
        world.signal({ intent: "close" })
        world.settle()
        assert.strictEqual(world.venueQuantity, "0")
      } catch (error) {
        throw new Error(`SEED=${first + run} npm test -- test/domain/decision/money-path.test.ts`, {
          cause: error
        })
      }
    }
  }, 300_000)
})

describe("many at once", () => {
  for (const many of [2, 10, isMutation ? 30 : 1_000]) {
    it(`[${many} closes of one long] end at zero, and the others have nothing to close`, () => {
      const world = new MoneyPath({ a: "both" })
      world.signal({ direction: "LONG", quantity: "3" })
      world.settle()
      for (let n = 0; n < many; n += 1) world.signal({ action: "SELL", direction: "LONG" })
      for (let n = 0; n < many; n += 1) world.send(false)
      world.settle()
      assert.strictEqual(world.venueQuantity, "0")
      const closes = world.rows.filter(({ intent }) => intent === "reduce")
      assert.strictEqual(closes.filter(({ status }) => status === "filled").length, 1)
      assert.strictEqual(closes.filter(({ status }) => status === "withdrawn").length, many - 1)
    })
  }

  it("a close that arrives before its opening was sent ends flat", () => {
    const world = new MoneyPath({ a: "both" })
    world.signal({ direction: "LONG", quantity: "2" })
    world.signal({ action: "SELL", direction: "LONG" })
    world.settle()
    assert.strictEqual(world.venueQuantity, "0")
  })

  it("a close that arrives while its opening works ends flat", () => {
    const world = new MoneyPath({ a: "both" })
    world.signal({ direction: "LONG", quantity: "2" })
    world.send(false)
    world.signal({ action: "SELL", direction: "LONG" })
    world.send(false)
    assert.strictEqual(world.rows[1]?.status, "intended", "it waits for what it is to close")
    world.settle()
    assert.strictEqual(world.venueQuantity, "0")
  })

  it("[SELL + short on a long of equal size] ends short, and not flat", () => {
    const world = new MoneyPath({ a: "both" })
    world.signal({ direction: "LONG", quantity: "2" })
    world.settle()
    world.signal({ action: "SELL", direction: "SHORT", quantity: "2" })
    world.settle()
    assert.strictEqual(world.venueQuantity, "-2")
  })
})
