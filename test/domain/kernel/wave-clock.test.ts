import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  checkDeadlineMs,
  dueAtMs,
  nextDueAtMs,
  paceOf,
  scheduleProblem,
  searchedAt,
  searchMs,
  showMoment,
  waveAt,
  wavesBetween,
  type WaveSchedule
} from "../../../src/domain/kernel/wave-clock.ts"

const at = (iso: string): number => Date.parse(iso)
const iso = (ms: number): string => new Date(ms).toISOString()
const quarter: WaveSchedule = { periodMs: 900_000, offsetMs: 300_000, lagMs: 1_200_000 }

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
/** A schedule drawn from three numbers; the offset is reduced to the period. */
const scheduleFrom = (period: number, offset: number, lag: number): WaveSchedule => ({
  periodMs: period,
  offsetMs: offset % period,
  lagMs: lag
})
const drawn = {
  period: between(1_000, 7 * 86_400_000),
  offset: between(0, 7 * 86_400_000),
  lag: between(0, 7 * 86_400_000),
  // 1995 to 2099.
  now: between(788_918_400_000, 4_102_444_799_000)
}
const options = { arbitrary: { runs: 300, seed: 4 } }

describe("the schedule of the incident [every 15 min at :05, 20 min back]", () => {
  it.each([
    ["2025-10-21T23:05:00.000Z", "2025-10-21T22:45:00.000Z"],
    ["2025-10-21T23:19:59.999Z", "2025-10-21T22:45:00.000Z"],
    ["2025-10-21T23:20:00.000Z", "2025-10-21T23:00:00.000Z"],
    ["2025-10-22T00:05:00.000Z", "2025-10-21T23:45:00.000Z"],
    ["2025-10-22T00:20:00.000Z", "2025-10-22T00:00:00.000Z"],
    ["2024-02-29T00:05:00.000Z", "2024-02-28T23:45:00.000Z"],
    ["2024-03-01T00:05:00.000Z", "2024-02-29T23:45:00.000Z"],
    ["2023-03-01T00:05:00.000Z", "2023-02-28T23:45:00.000Z"],
    ["2026-01-01T00:05:00.000Z", "2025-12-31T23:45:00.000Z"]
  ])("at %s looks for %s", (now, wave) => {
    assert.strictEqual(iso(waveAt(quarter, at(now))), wave)
  })

  it("checks at :05 :20 :35 :50", () => {
    const due = wavesBetween(quarter, at("2025-10-21T22:59:00Z"), at("2025-10-21T23:59:00Z"), 99)
    assert.deepStrictEqual(
      due.map((line) => iso(line.dueAtMs).slice(11, 16)),
      ["23:05", "23:20", "23:35", "23:50"]
    )
  })

  it("has the limits of the contract [120 s, 1 s, 2 s]", () => {
    assert.strictEqual(checkDeadlineMs(quarter), 120_000)
    assert.include(paceOf(quarter), { firstLookMs: 1_000, lookEveryMs: 2_000 })
    assert.strictEqual(checkDeadlineMs({ ...quarter, periodMs: 60_000 }), 48_000)
  })
})

describe("any schedule", () => {
  it.prop(
    "the wave of a moment is on the schedule, due, and the latest that is",
    drawn,
    ({ lag, now, offset, period }) => {
      const schedule = scheduleFrom(period, offset, lag)
      const wave = waveAt(schedule, now)
      const due = dueAtMs(schedule, wave)
      assert.strictEqual(waveAt(schedule, due), wave)
      assert.strictEqual((due - schedule.offsetMs) % period, 0)
      assert.isTrue(due <= now && now < due + period)
      assert.strictEqual(nextDueAtMs(schedule, now), due + period)
    },
    options
  )

  it.prop(
    "the rows between two moments are all of them, once, one period apart, however the time is cut",
    { ...drawn, periods: between(0, 400), cut: between(0, 1_000) },
    ({ cut, lag, now, offset, period, periods }) => {
      const schedule = scheduleFrom(period, offset, lag)
      const until = now + periods * period
      const all = wavesBetween(schedule, now, until, 1_000)
      const middle = now + Math.floor(((until - now) * cut) / 1_000)
      assert.deepStrictEqual(
        [...wavesBetween(schedule, now, middle, 1_000), ...wavesBetween(schedule, middle, until, 1_000)],
        all
      )
      assert.strictEqual(all.length, periods)
      for (const [index, line] of all.entries()) {
        assert.isTrue(line.dueAtMs > now && line.dueAtMs <= until)
        assert.strictEqual(line.waveMs, line.dueAtMs - schedule.lagMs)
        assert.strictEqual(line.dueAtMs - (all[index - 1]?.dueAtMs ?? line.dueAtMs - period), period)
      }
    },
    options
  )

  it.prop(
    "a clock that steps back names waves that were due before, and steps forward skip none of the ledger",
    { ...drawn, step: between(-90 * 86_400_000, 90 * 86_400_000) },
    ({ lag, now, offset, period, step }) => {
      const schedule = scheduleFrom(period, offset, lag)
      const before = waveAt(schedule, now)
      const after = waveAt(schedule, now + step)
      assert.strictEqual(Math.sign(after - before), after === before ? 0 : Math.sign(step))
      // Whatever the clock did, the rows between both moments are those of the schedule.
      const [from, to] = step < 0 ? [now + step, now] : [now, now + step]
      const rows = wavesBetween(schedule, from, to, 3)
      assert.deepStrictEqual(
        rows.at(-1)?.waveMs,
        Math.abs(after - before) === 0 ? undefined : Math.max(before, after)
      )
    },
    options
  )

  it.prop(
    "one wave is searched for, the latest, and the search ends before the next is due",
    { ...drawn, freshMs: between(1, 86_400_000) },
    ({ freshMs, lag, now, offset, period }) => {
      const schedule = scheduleFrom(period, offset, lag)
      const searched = searchedAt(schedule, freshMs, now)
      if (searched === null) {
        assert.isTrue(now - dueAtMs(schedule, waveAt(schedule, now)) > freshMs)
      } else {
        assert.isTrue(now - searched.dueAtMs <= freshMs && searched.waveMs === waveAt(schedule, now))
        const ends = now + searchMs(schedule, freshMs, searched.dueAtMs, now)
        assert.isTrue(
          ends <= nextDueAtMs(schedule, now) && ends <= Math.max(searched.dueAtMs + freshMs, now + 1)
        )
      }
      assert.isTrue(checkDeadlineMs(schedule) <= 120_000 && checkDeadlineMs(schedule) <= 0.8 * period)
      const pace = paceOf(schedule)
      assert.isTrue(
        pace.firstLookMs < checkDeadlineMs(schedule) && pace.lookEveryMs < checkDeadlineMs(schedule)
      )
      assert.isTrue(pace.leaseMs > 2 * pace.lookEveryMs)
    },
    options
  )

  it("more rows than the bound are its newest", () => {
    const rows = wavesBetween(quarter, at("2025-01-01T00:00:00Z"), at("2025-10-21T23:06:00Z"), 2)
    assert.deepStrictEqual(
      rows.map((line) => iso(line.dueAtMs)),
      ["2025-10-21T22:50:00.000Z", "2025-10-21T23:05:00.000Z"]
    )
    assert.deepStrictEqual(wavesBetween(quarter, 10, 5, 9), [])
  })
})

/** Days on which local time jumps, or which a zone has had twice or not at all. */
const jumps: ReadonlyArray<readonly [string, string]> = [
  ["Europe/Berlin", "2025-03-30"],
  ["Europe/Berlin", "2025-10-26"],
  ["America/New_York", "2025-03-09"],
  ["America/New_York", "2025-11-02"],
  ["Australia/Lord_Howe", "2025-04-05"],
  ["Australia/Adelaide", "2025-10-04"],
  ["Africa/Casablanca", "2025-02-23"],
  ["America/St_Johns", "2025-11-02"],
  ["Asia/Tehran", "2022-03-21"],
  ["Pacific/Apia", "2011-12-30"],
  ["Asia/Kathmandu", "2025-01-01"],
  ["America/Sao_Paulo", "2018-11-04"]
]

describe("days on which local time jumps", () => {
  it.each(jumps)("[%s, %s] are 96 waves of a quarter hour like any other day", (zone, day) => {
    const midnight = at(`${day}T00:00:00Z`)
    const rows = wavesBetween(quarter, midnight - 1, midnight + 86_400_000 - 1, 1_000)
    assert.strictEqual(rows.length, 96)
    for (const line of rows) {
      assert.strictEqual(waveAt(quarter, line.dueAtMs), line.waveMs)
      // The local reading is for people; it must name its zone and never be what the wave is computed from.
      const shown = showMoment(line.waveMs, zone)
      assert.strictEqual(shown.utc, iso(line.waveMs))
      assert.isTrue(shown.local.endsWith(` ${zone}`))
    }
  })
})

describe("the process's own zone", () => {
  const program = `
    import { nextDueAtMs, showMoment, waveAt, wavesBetween } from ${JSON.stringify(
      fileURLToPath(new URL("../../../src/domain/kernel/wave-clock.ts", import.meta.url))
    )}
    const schedule = { periodMs: 900000, offsetMs: 300000, lagMs: 1200000 }
    const from = Date.parse("2025-10-21T20:00:00Z")
    const lines = []
    for (let now = from; now < from + 9 * 3600000; now += 61000) lines.push([waveAt(schedule, now), nextDueAtMs(schedule, now)])
    lines.push(wavesBetween(schedule, from, from + 172800000, 1000), showMoment(from, "UTC"))
    console.log(new Date(from).getTimezoneOffset() + "|" + JSON.stringify(lines))`
  const inZone = (zone: string) => {
    const run = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      env: { ...process.env, TZ: zone },
      encoding: "utf8"
    })
    assert.strictEqual(run.status, 0, run.stderr)
    const [offset = "", lines = ""] = run.stdout.trim().split("|")
    return { offset: Number(offset), lines }
  }

  it("changes nothing [UTC, Asia/Dubai, America/New_York, Pacific/Apia]", () => {
    const utc = inZone("UTC")
    assert.strictEqual(utc.offset, 0)
    for (const [zone, offset] of [
      ["Asia/Dubai", -240],
      ["America/New_York", 240],
      ["Pacific/Apia", -780]
    ] as const) {
      const there = inZone(zone)
      assert.strictEqual(there.offset, offset, "the child really lives in that zone")
      assert.strictEqual(there.lines, utc.lines)
    }
  })
})

describe("a schedule that cannot be kept", () => {
  it.each([
    [{ periodMs: 999, offsetMs: 0, lagMs: 0 }, "period"],
    [{ periodMs: 60_000, offsetMs: -1, lagMs: 0 }, "offset"],
    [{ periodMs: 60_000, offsetMs: 0, lagMs: -1 }, "lag"],
    [{ periodMs: 60_000.5, offsetMs: 0, lagMs: 0 }, "whole"]
  ])("%j is refused for its %s", (schedule, word) => {
    assert.include(scheduleProblem(schedule) ?? "", word)
  })

  it("the default one is fine, and so is one whose period alone was shortened", () => {
    assert.isNull(scheduleProblem(quarter))
    const minute = { ...quarter, periodMs: 60_000 }
    assert.isNull(scheduleProblem(minute))
    assert.strictEqual(waveAt(minute, at("2025-10-21T23:05:10Z")), at("2025-10-21T22:45:00Z"))
  })
})
