import { assert, describe, it } from "@effect/vitest"
import type { Expected } from "../../../src/domain/kernel/settings.ts"
import {
  duesBetween,
  measuredSinceMs,
  nextDueMs,
  sessionsBetween
} from "../../../src/domain/signals/expected-schedule.ts"

const at = (text: string): number => Date.parse(text)
const iso = (ms: number): string => new Date(ms).toISOString().replace(":00.000Z", "Z")
const bars = (over: Partial<Expected> = {}): Expected => ({
  kind: "bars",
  every: "1h",
  signals: 1,
  graceMs: 60_000,
  calendar: "24x7",
  hours: null,
  ...over
})
const everyDay = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const
const times = (expected: Expected, from: string, to: string): ReadonlyArray<string> =>
  duesBetween(expected, at(from), at(to), 10_000).map(({ dueMs }) => iso(dueMs))

describe("the bars of a source", () => {
  it("end on the grid of the UTC day, midnight once, also where an interval does not divide the day", () => {
    assert.deepStrictEqual(times(bars({ every: "7h" }), "2026-03-01T20:00Z", "2026-03-02T08:00Z"), [
      "2026-03-01T21:00Z",
      "2026-03-02T00:00Z",
      "2026-03-02T07:00Z"
    ])
    assert.strictEqual(times(bars({ every: "5m" }), "2026-03-01T00:00Z", "2026-03-08T00:00Z").length, 7 * 288)
  })

  for (const [day, first, last, many] of [
    ["2026-03-06", "15:30Z", "21:00Z", 7],
    // Clocks of New York change on the Sunday between: one hour earlier in UTC.
    ["2026-03-09", "14:30Z", "20:00Z", 7],
    // The day after Thanksgiving closes at 13:00.
    ["2026-11-27", "15:30Z", "18:00Z", 4],
    ["2026-11-26", null, null, 0],
    ["2026-03-07", null, null, 0]
  ] as const) {
    it(`[XNYS ${day}] ${many} bars of an hour, the last one ends with the session`, () => {
      const found = times(bars({ calendar: "XNYS" }), `${day}T00:00Z`, `${day}T23:59Z`)
      assert.deepStrictEqual(
        [found.length, found[0] ?? null, found.at(-1) ?? null],
        [many, first === null ? null : `${day}T${first}`, last === null ? null : `${day}T${last}`]
      )
    })
  }

  it("hours that begin or end in an hour that clocks skip do so when it is over", () => {
    const days = [...everyDay]
    for (const [zone, date, instant] of [
      ["America/New_York", "2026-03-08", "2026-03-08T07:30:00.000Z"],
      ["Europe/Berlin", "2026-03-29", "2026-03-29T01:30:00.000Z"]
    ] as const)
      for (const [from, to] of [
        ["02:30", "12:00"],
        ["00:00", "02:30"]
      ] as const) {
        const span = { fromMs: at(`${date}T00:00Z`), toMs: at(`${date}T20:00Z`) }
        const found = sessionsBetween(bars({ hours: { zone, days, from, to } }), span)
        const edges = found.flatMap(({ fromMs, toMs }) => [fromMs, toMs])
        assert.include(edges, at(instant), `${zone} ${from}-${to}`)
      }
  })

  it("a bar of a day ends at the close", () => {
    assert.deepStrictEqual(
      times(bars({ calendar: "XNYS", every: "1D" }), "2026-11-25T00:00Z", "2026-11-30T00:00Z"),
      ["2026-11-25T21:00Z", "2026-11-27T18:00Z"]
    )
  })

  it("after a Friday's close the next one is on Monday", () => {
    const next = nextDueMs(bars({ calendar: "XNYS", every: "5m" }), at("2026-03-06T21:00Z"))
    assert.strictEqual(next === null ? null : iso(next), "2026-03-09T13:35Z")
  })

  it("[hours] follow the clocks of their zone on the days that they change, through midnight as well", () => {
    const hours = { zone: "Europe/Berlin", from: "22:00", to: "06:00", days: everyDay }
    const night = (from: string, to: string) =>
      sessionsBetween(bars({ hours }), { fromMs: at(from), toMs: at(to) }).map(({ fromMs, toMs }) => [
        iso(fromMs),
        iso(toMs),
        (toMs - fromMs) / 3_600_000
      ])
    assert.deepStrictEqual(night("2026-03-28T12:00Z", "2026-03-29T12:00Z"), [
      ["2026-03-28T21:00Z", "2026-03-29T04:00Z", 7]
    ])
    assert.deepStrictEqual(night("2026-10-24T12:00Z", "2026-10-25T12:00Z"), [
      ["2026-10-24T20:00Z", "2026-10-25T05:00Z", 9]
    ])
    assert.strictEqual(times(bars({ hours }), "2026-10-24T12:00Z", "2026-10-25T12:00Z").length, 9)
    // Opening an hour after the clocks were put forward.
    const early = { zone: "America/New_York", from: "03:00", to: "05:00", days: everyDay }
    assert.deepStrictEqual(times(bars({ hours: early }), "2026-03-08T00:00Z", "2026-03-08T23:00Z"), [
      "2026-03-08T08:00Z",
      "2026-03-08T09:00Z"
    ])
  })

  it("[hours] all day long, every day of a year with its changes of clocks: no gap, no repetition", () => {
    const hours = { zone: "America/New_York", from: "00:00", to: "00:00", days: everyDay }
    const found = duesBetween(bars({ hours }), at("2026-01-01T05:00Z"), at("2027-01-01T05:00Z"), 10_000)
    assert.strictEqual(found.length, 365 * 24)
    found.forEach((due, index) => {
      const before = found[index - 1]
      if (before === undefined) return
      assert.strictEqual(due.dueMs - before.dueMs, 3_600_000)
      assert.strictEqual(before.untilMs, due.fromMs)
    })
  })

  it("[hours] only on their days", () => {
    const hours = { zone: "Asia/Tokyo", from: "09:00", to: "15:00", days: ["mon"] as const }
    assert.deepStrictEqual(times(bars({ hours, every: "3h" }), "2026-03-01T00:00Z", "2026-03-08T00:00Z"), [
      "2026-03-02T03:00Z",
      "2026-03-02T06:00Z"
    ])
  })

  it("a window begins where the one before ends, and its grace within it, whatever page it is read on", () => {
    const expected = bars({ calendar: "XNYS", graceMs: 1_800_000 })
    const all = duesBetween(expected, at("2026-11-01T00:00Z"), at("2026-12-01T00:00Z"), 10_000)
    const paged: Array<(typeof all)[number]> = []
    for (;;) {
      const after = paged.at(-1)?.dueMs ?? at("2026-11-01T00:00Z")
      const page = duesBetween(expected, after, at("2026-12-01T00:00Z"), 3)
      if (page.length === 0) break
      paged.push(...page)
    }
    assert.deepStrictEqual(paged, all)
    for (const due of all) {
      assert.isAtMost(due.graceMs, due.untilMs)
      assert.isAbove(due.dueMs, due.fromMs)
    }
  })
})

describe("the time in which a rate is measured", () => {
  const rate = (over: Partial<Expected> = {}) => bars({ kind: "rate", graceMs: 600_000, ...over })
  const span = (from: string, to: string) => ({ fromMs: at(from), toMs: at(to) })
  const since = (expected: Expected, observed: ReadonlyArray<ReturnType<typeof span>>, now: string) => {
    const found = measuredSinceMs(expected, observed, at(now))
    return found === null ? null : iso(found)
  }

  it("is the interval and its grace, back from now", () => {
    const all = [span("2026-03-02T00:00Z", "2026-03-03T00:00Z")]
    assert.strictEqual(since(rate(), all, "2026-03-02T12:00Z"), "2026-03-02T10:50Z")
  })

  it("leaves out what this installation could not receive, and is unknown while that is most of it", () => {
    const observed = [
      span("2026-03-02T11:30Z", "2026-03-02T12:00Z"),
      // Two processes at once are one time.
      span("2026-03-02T08:00Z", "2026-03-02T09:00Z"),
      span("2026-03-02T08:30Z", "2026-03-02T09:00Z")
    ]
    assert.strictEqual(since(rate(), observed, "2026-03-02T12:00Z"), "2026-03-02T08:20Z")
    assert.strictEqual(since(rate(), observed.slice(0, 1), "2026-03-02T12:00Z"), null)
  })

  it("leaves out nights, weekends and holidays of its calendar", () => {
    const all = [span("2026-11-01T00:00Z", "2026-12-01T00:00Z")]
    // Monday, half an hour after the opening: 40 minutes of Friday, which closed at 13:00.
    assert.strictEqual(since(rate({ calendar: "XNYS" }), all, "2026-11-30T15:00Z"), "2026-11-27T17:20Z")
  })
})
