/** The table of a circuit breaker, and the rules that move it (E7). */
import { assert, describe, it } from "@effect/vitest"
import {
  type Breaker,
  BREAKER_EVENTS,
  BREAKER_STATES,
  BREAKER_TRANSITIONS,
  type BreakerCounts,
  breakerIds,
  type BreakerPolicy,
  type BreakerState,
  byOperator,
  cooldownOf,
  nextOf,
  policyOf,
  probed,
  tripOf
} from "../../../src/domain/orders/breaker.ts"
import { breakerMachine, breakerStateOf } from "../../../src/machines/orders/breaker.machine.ts"
import { initialTransition, transition } from "xstate"
import { settingsFrom } from "../../support/practice-settings.ts"

const t0 = Date.parse("2026-11-23T15:00:00Z")
const policy: BreakerPolicy = {
  failuresMax: 5,
  readFailuresMax: null,
  failurePct: 50,
  windowMs: 60_000,
  cooldownMs: 10_000,
  cooldownMsMax: 60_000,
  resetAfterMs: 600_000,
  probesMin: 2,
  probeEveryMs: 1_000
}
const breaker = (given: Partial<Breaker> = {}): Breaker => ({
  id: "broker:practice",
  state: "CLOSED",
  manual: false,
  reason: null,
  changedBy: "system",
  changedAtMs: t0,
  openedAtMs: null,
  openings: 0,
  cooldownUntilMs: null,
  probes: 0,
  numbers: {},
  version: 1,
  ...given
})
const counts = (given: Partial<BreakerCounts> = {}): BreakerCounts => ({
  orders: 0,
  orderFailures: 0,
  reads: 0,
  readFailures: 0,
  ...given
})
const open = (given: Partial<Breaker> = {}): Breaker =>
  breaker({ state: "OPEN", openedAtMs: t0, openings: 1, cooldownUntilMs: t0 + 10_000, ...given })
const half = (given: Partial<Breaker> = {}): Breaker =>
  breaker({ state: "HALF_OPEN", openedAtMs: t0, openings: 1, ...given })
const operator = { by: "api:127.0.0.1", nowMs: t0, reason: "drill" }

describe("the table", () => {
  it("is what the chart does, for each state and event", () => {
    const stateOf = (state: BreakerState, event: (typeof BREAKER_EVENTS)[number]): string => {
      const at = breakerMachine.resolveState({ value: breakerStateOf(state) })
      const [next] = transition(breakerMachine, at, { type: event })
      return next.value
    }
    for (const state of BREAKER_STATES)
      for (const event of BREAKER_EVENTS)
        assert.strictEqual(
          stateOf(state, event),
          breakerStateOf(BREAKER_TRANSITIONS[state][event] ?? state),
          `${state} ${event}`
        )
    assert.strictEqual(initialTransition(breakerMachine)[0].value, "Closed")
  })

  it.each([
    ["trips", nextOf(breaker(), policy, counts({ orders: 5, orderFailures: 5 }), t0), "CLOSED", "OPEN"],
    ["cools down", nextOf(open(), policy, counts(), t0 + 10_000), "OPEN", "HALF_OPEN"],
    ["passes a probe", probed(half(), policy, null, t0), "HALF_OPEN", "HALF_OPEN"],
    ["recovers", probed(half({ probes: 1 }), policy, null, t0), "HALF_OPEN", "CLOSED"],
    ["fails a probe", probed(half(), policy, "gone", t0), "HALF_OPEN", "OPEN"],
    [
      "fails an order",
      nextOf(half(), policy, counts({ orders: 3, orderFailures: 1 }), t0),
      "HALF_OPEN",
      "OPEN"
    ],
    ...BREAKER_STATES.flatMap(
      (state) =>
        [
          [`${state} opened`, byOperator(breaker({ state }), "open", operator), state, "OPEN"],
          [`${state} closed`, byOperator(breaker({ state }), "close", operator), state, "CLOSED"]
        ] as const
    )
  ] as const)("%s by an event that it has", (_, change, from, to) => {
    assert.isNotNull(change)
    assert.deepStrictEqual([change?.from, change?.next.state], [from, to])
    assert.strictEqual(change === null ? null : BREAKER_TRANSITIONS[from][change.event], to)
  })

  it("refuses a probe of what is not half open", () => {
    assert.isNull(probed(open(), policy, null, t0))
    assert.isNull(probed(breaker(), policy, "gone", t0))
  })
})

describe("the window", () => {
  it.each([
    ["fewer failures than the limit", { orders: 4, orderFailures: 4 }, null],
    ["as many", { orders: 5, orderFailures: 5 }, "5 of 5 orders"],
    ["exactly the share", { orders: 10, orderFailures: 5 }, "5 of 10 orders"],
    ["less than the share", { orders: 11, orderFailures: 5 }, null],
    ["successful look-ups dilute nothing", { orders: 5, orderFailures: 5, reads: 1_000 }, "5 of 5 orders"],
    ["failed look-ups do not count by default", { reads: 99, readFailures: 99 }, null]
  ] as const)("%s", (_, given, expected) => {
    const trip = tripOf(policy, counts(given))
    if (expected === null) return assert.isNull(trip)
    assert.include(trip?.reason, expected)
    return assert.deepInclude(trip?.numbers, {
      counted: "orders",
      limit: 5,
      limit_pct: 50,
      window_ms: 60_000
    })
  })
  it("counts look-ups where a limit says so, and no orders where it is null", () => {
    const reads = { ...policy, failuresMax: null, readFailuresMax: 3 }
    assert.include(tripOf(reads, counts({ reads: 3, readFailures: 3 }))?.reason, "3 of 3 reads")
    assert.isNull(tripOf(reads, counts({ orders: 99, orderFailures: 99 })))
  })
  it("opens with the rule, the numbers and the end of its cooldown", () => {
    const change = nextOf(breaker(), policy, counts({ orders: 6, orderFailures: 5 }), t0 + 7)
    assert.deepInclude(change?.next, {
      changedBy: "rule:breaker_failures",
      openedAtMs: t0 + 7,
      openings: 1,
      cooldownUntilMs: t0 + 10_007,
      manual: false
    })
    assert.deepInclude(change?.next.numbers, { failures: 5, calls: 6, openings: 1, cooldown_ms: 10_000 })
  })
})

describe("the cooldown", () => {
  it("doubles with each opening, up to its bound", () => {
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4, 5, 500].map((openings) => cooldownOf(policy, openings)),
      [10_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]
    )
  })
  it("waits to the millisecond", () => {
    assert.isNull(nextOf(open(), policy, counts(), t0 + 9_999))
    assert.isNotNull(nextOf(open(), policy, counts(), t0 + 10_000))
  })
  it("goes on doubling after a recovery that did not last, and begins small after one that did", () => {
    const failing = counts({ orders: 5, orderFailures: 5 })
    const closed = breaker({ openings: 2 })
    assert.strictEqual(nextOf(closed, policy, failing, t0 + 599_999)?.next.openings, 3)
    assert.strictEqual(nextOf(closed, policy, failing, t0 + 600_000)?.next.openings, 1)
  })
  it("doubles after a failed probe, and keeps when the outbreak began", () => {
    const change = probed(
      half({ openings: 2, openedAtMs: t0 }),
      policy,
      "positions at practice: gone",
      t0 + 5
    )
    assert.deepInclude(change?.next, {
      openings: 3,
      openedAtMs: t0,
      cooldownUntilMs: t0 + 40_005,
      changedBy: "rule:breaker_probe",
      reason: "a probe failed: positions at practice: gone"
    })
  })
  it("is over after enough probes in a row", () => {
    const once = probed(half(), policy, null, t0)
    assert.deepInclude(once, { event: "breaker.probe_passed", from: "HALF_OPEN" })
    assert.strictEqual(once?.next.probes, 1)
    const closed = probed(half({ probes: 1 }), policy, null, t0)
    assert.deepInclude(closed?.next, { state: "CLOSED", openedAtMs: null, changedBy: "rule:breaker_probe" })
    assert.strictEqual(closed?.next.openings, 1, "kept, for the next cooldown")
  })
})

describe("an operator", () => {
  it("opens until an operator closes: no cooldown, no probe, no count changes it", () => {
    const manual = byOperator(breaker(), "open", operator)
    assert.deepInclude(manual?.next, {
      manual: true,
      changedBy: "api:127.0.0.1",
      reason: "drill",
      cooldownUntilMs: null
    })
    const opened = open({ manual: true, cooldownUntilMs: null })
    assert.isNull(nextOf(opened, policy, counts({ orders: 9, orderFailures: 9 }), t0 + 1e9))
  })
  it("takes over what a rule opened, and closes it for good", () => {
    assert.deepInclude(byOperator(open(), "open", operator)?.next, { manual: true, openedAtMs: t0 })
    assert.deepInclude(byOperator(half({ openings: 4 }), "close", operator)?.next, {
      state: "CLOSED",
      manual: false,
      openings: 0,
      openedAtMs: null
    })
  })
})

describe("the limits", () => {
  const settings = settingsFrom({
    risk: {
      breakers: { strategy: { failuresMax: null }, "broker:practice": { failuresMax: 2, windowMs: 5_000 } }
    }
  })
  it("are those of the breaker, else of its kind, else the defaults", () => {
    assert.deepInclude(policyOf(settings, "broker:practice"), { failuresMax: 2, windowMs: 5_000 })
    assert.deepInclude(policyOf(settings, "broker:other"), { failuresMax: 20, windowMs: 60_000 })
    assert.deepInclude(policyOf(settings, "strategy:default"), { failuresMax: null })
    assert.isNull(policyOf(settings, "venue:practice"))
  })
  it("open after five failures where money is at stake", () => {
    assert.strictEqual(policyOf({ ...settings, mode: "LIVE" }, "broker:other")?.failuresMax, 5)
  })
  it("exist for every broker and strategy", () => {
    assert.deepStrictEqual(breakerIds(settings), ["broker:practice", "strategy:default"])
  })
})
