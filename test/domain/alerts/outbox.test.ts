/** Which sinks are told of an alert, what is sent next, when again, and when it is given up. */
import { assert, describe, it } from "vitest"
import {
  isGivenUp,
  nextDelivery,
  pauseMs,
  type WaitingRow
} from "../../../src/domain/alerts/outbox-delivery.ts"
import { outboxLimits } from "../../../src/domain/alerts/outbox-limits.ts"
import { accountOf, sinksFor } from "../../../src/domain/alerts/outbox-route.ts"
import type { AlertSeverity } from "../../../src/domain/kernel/settings-alerts.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const file = { kind: "file", path: "/tmp/alerts.jsonl" }
const sinksOf = (sinks: Readonly<Record<string, object>>) =>
  settingsFrom({
    accounts: { a: { broker: "practice", startingCash: "1" }, b: { broker: "practice", startingCash: "1" } },
    strategies: {},
    alerts: {
      sinks: Object.fromEntries(Object.entries(sinks).map(([name, sink]) => [name, { ...file, ...sink }]))
    }
  }).alerts.sinks

const alert = (over: object = {}) => ({
  severity: "HIGH" as const,
  kind: "order.vanished",
  component: null,
  account: null,
  ...over
})

describe("who is told of an alert", () => {
  it.each([
    ["all of what is MEDIUM and graver, unless it says otherwise", {}, {}, true],
    ["nothing that is less grave", {}, { severity: "LOW" }, false],
    ["what is as grave as it says", { severityMin: "LOW" }, { severity: "LOW" }, true],
    ["a kind that it names", { kinds: ["order.vanished"] }, {}, true],
    ["kinds that begin so", { kinds: ["feed.*", "order.*"] }, {}, true],
    ["no other kind", { kinds: ["feed.*", "order"] }, {}, false],
    ["nothing, when it names no kind", { kinds: [] }, { severity: "CRITICAL" }, false],
    ["what concerns its account", { accounts: ["a"] }, { account: "a" }, true],
    ["nothing of another account", { accounts: ["a"] }, { account: "b" }, false],
    ["what concerns no account", { accounts: ["a"] }, {}, true]
  ])("a sink is told of %s", (_words, sink, over, passes) => {
    assert.deepStrictEqual(sinksFor(alert(over), sinksOf({ one: sink })), passes ? ["one"] : [])
  })
  it("never itself of its own trouble, but the others", () => {
    const own = alert({ kind: "sink.failing", component: "root/operators/sink:one" })
    assert.deepStrictEqual(sinksFor(own, sinksOf({ one: {}, two: {}, oneother: {} })), ["two", "oneother"])
  })
  it("an alert concerns the account that it names, or whose executor raised it", () => {
    assert.strictEqual(accountOf("a", "root/trading/accounts/b"), "a")
    assert.strictEqual(accountOf(null, "root/trading/accounts/b"), "b")
    assert.strictEqual(accountOf(null, "root/trading/accounts"), null)
    assert.strictEqual(accountOf(null, null), null)
  })
})

const row = (
  seq: number,
  kind: string,
  severity: AlertSeverity = "HIGH",
  over: Partial<WaitingRow> = {}
): WaitingRow => ({
  seq: BigInt(seq),
  kind,
  severity,
  occasion: severity,
  delivery: null,
  ...over
})
const chosen = (rows: ReadonlyArray<WaitingRow>) => nextDelivery(rows).map(({ seq }) => Number(seq))

describe("what is sent next", () => {
  it("is nothing when nothing waits, and the first of few", () => {
    assert.deepStrictEqual(chosen([]), [])
    assert.deepStrictEqual(chosen([row(1, "a.b"), row(2, "a.b"), row(3, "a.b"), row(4, "c.d")]), [1])
  })
  it("is all of one kind and severity when they are many, and none of another", () => {
    const many = [1, 2, 3, 4].map((seq) => row(seq, "a.b"))
    assert.deepStrictEqual(
      chosen([...many, row(5, "a.b", "LOW"), row(6, "c.d"), row(7, "a.b")]),
      [1, 2, 3, 4, 7]
    )
  })
  it("is what was tried before as it was tried, whatever came since", () => {
    const tried = { delivery: "d" }
    const rows = [
      row(1, "a.b", "HIGH", tried),
      row(2, "a.b", "HIGH", tried),
      ...[3, 4, 5].map((n) => row(n, "a.b"))
    ]
    assert.deepStrictEqual(chosen(rows), [1, 2])
    assert.deepStrictEqual(chosen(rows.slice(2)), [3])
  })
  it("names at most twenty CRITICAL ones, so that each is named in some message", () => {
    const many = Array.from({ length: 30 }, (_, n) => row(n, "a.b", "CRITICAL"))
    assert.lengthOf(chosen(many), outboxLimits.namedMax)
  })
  it("does not mix what nobody acknowledged with what is told for the first time", () => {
    const late = { occasion: "escalated" as const }
    const rows = [1, 2, 3, 4, 5].map((n) => row(n, "a.b", "CRITICAL", n % 2 === 0 ? late : {}))
    assert.deepStrictEqual(chosen(rows), [1])
  })
})

describe("when it is tried again", () => {
  it("doubles, with half of it random, up to five minutes", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 4].map((failures) => pauseMs(failures, 0, 1)),
      [1_000, 2_000, 4_000, 8_000]
    )
    assert.strictEqual(pauseMs(3, 0, 0), 2_000)
    assert.strictEqual(pauseMs(1_000, 0, 1), outboxLimits.retryMsMax)
  })
  it("is not before the receiver says so, within a bound", () => {
    assert.strictEqual(pauseMs(1, 7_000, 0.5), 7_000)
    assert.strictEqual(pauseMs(1, 86_400_000, 0.5), outboxLimits.retryAfterMsMax)
    assert.strictEqual(pauseMs(9, 10, 1), 256_000)
  })
  it("ends after a few refusals and many faults, and never for an outage", () => {
    assert.deepStrictEqual(
      [4, 5].map((n) => isGivenUp("refused", n)),
      [false, true]
    )
    assert.deepStrictEqual(
      [39, 40].map((n) => isGivenUp("fault", n)),
      [false, true]
    )
    for (const outage of ["rate", "unusable", "unreachable"] as const)
      assert.isFalse(isGivenUp(outage, 1_000), outage)
  })
})
