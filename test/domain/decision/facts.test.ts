import { assert, describe, it } from "@effect/vitest"
import { decide, planSignal } from "../../../src/domain/decision/decision.ts"
import type { Facts } from "../../../src/domain/decision/facts.ts"
import type { PlanInput } from "../../../src/domain/decision/plan-input.ts"
import { orderId } from "../../../src/domain/kernel/ids.ts"
import { drawInput, numbersFrom, worldMs } from "../../support/facts-world.ts"

const RUNS = 400
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000_000))

/** As a database returns it: keys in another order, and nothing that JSON does not have. */
const stored = <A>(value: A): A =>
  JSON.parse(JSON.stringify(value), (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toReversed())
      : inner
  ) as A

const inputs = (): ReadonlyArray<PlanInput> => {
  const choose = numbersFrom(seed)
  return Array.from({ length: RUNS }, () => drawInput(choose))
}

const decided = (input: PlanInput) => {
  const plan = planSignal({ ...input, mayDefer: false })
  return plan._tag === "Decided" ? plan : assert.fail("it may not be put off")
}

describe(`facts [${RUNS} decisions from seed ${seed}]`, () => {
  it("give the same bytes when they are decided again after they were stored", () => {
    const outcomes = new Set<string>()
    for (const input of inputs()) {
      const { decision, facts } = decided(input)
      const again = decide(stored(facts), input.settings)
      assert.deepStrictEqual(again.missing, [])
      assert.strictEqual(
        JSON.stringify(again.decided._tag === "Decided" ? again.decided.decision : again.decided),
        JSON.stringify(decision)
      )
      outcomes.add(`${decision.outcome}:${decision.reason ?? ""}`)
    }
    // A generator whose every signal is refused for the same reason would prove nothing.
    assert.isAbove(outcomes.size, 12, [...outcomes].join(" "))
  })

  it("are read once each, before anything is decided", () => {
    for (const input of inputs()) {
      const seen = new Set<string>()
      planSignal({
        ...input,
        quoteOf: (symbol) => {
          assert.isFalse(seen.has(symbol), `${symbol} is read a second time`)
          seen.add(symbol)
          return input.quoteOf(symbol)
        }
      })
    }
  })

  it("hold nothing of accounts and scopes that the signal does not concern", () => {
    for (const input of inputs()) {
      const { facts } = decided(input)
      assert.notInclude(JSON.stringify([facts.accounts, facts.figures, facts.trading]), "unconcerned")
    }
  })

  it("say which of them other settings would have needed", () => {
    for (const input of inputs()) {
      // A signal that gets as far as its accounts: known, fresh, of no strategy in particular.
      const expiresFromMs = worldMs - 1_000
      const signal = {
        ...input.signal,
        symbol: "SPY",
        direction: "LONG" as const,
        action: null,
        intent: null
      }
      const { facts } = decided({ ...input, signal: { ...signal, expiresFromMs, strategy: null } })
      const first = input.settings.strategies["first"]!
      const { missing } = decide(facts, {
        ...input.settings,
        strategies: {
          ...input.settings.strategies,
          third: { ...first, symbols: null, accounts: ["paper-9"] }
        }
      })
      assert.includeMembers([...missing], ["account:paper-9", "scope:strategy:third"])
    }
  })
})

describe("facts of a signal that was decided before", () => {
  it("name its orders and no other's", () => {
    const choose = numbersFrom(7)
    const drawn = drawInput(choose)
    const signal = { ...drawn.signal, direction: "LONG" as const, strategy: "first" }
    const key = { signalId: signal.id, account: "paper-1", strategy: "first", leg: 0 }
    const strategy = { ...drawn.settings.strategies["first"]!, accounts: ["paper-1"] }
    const plan = planSignal({
      ...drawn,
      signal,
      settings: { ...drawn.settings, strategies: { first: strategy } },
      context: { ...drawn.context, orderIds: new Set([orderId(key), "of another signal of the batch"]) },
      votes: null,
      mayDefer: false
    })
    const facts: Facts = plan._tag === "Decided" ? plan.facts : assert.fail("it may not be put off")
    assert.deepStrictEqual(facts.orderIds, [orderId(key)])
    assert.strictEqual(facts.nowMs, worldMs + 0.125)
  })
})
