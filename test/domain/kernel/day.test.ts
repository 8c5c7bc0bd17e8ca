import { assert, describe, it } from "@effect/vitest"
import { dayIn, isZone } from "../../../src/domain/kernel/day.ts"

const hours = (zone: string, at: string): string => {
  const { date, endMs, startMs } = dayIn(zone, Date.parse(at))
  return `${date} ${(endMs - startMs) / 3_600_000} h from ${new Date(startMs).toISOString()}`
}

describe("a day of a zone", () => {
  it.each([
    ["UTC", "2026-11-23T15:00:00Z", "2026-11-23 24 h from 2026-11-23T00:00:00.000Z"],
    ["America/New_York", "2026-11-23T04:59:59.999Z", "2026-11-22 24 h from 2026-11-22T05:00:00.000Z"],
    ["America/New_York", "2026-11-23T05:00:00Z", "2026-11-23 24 h from 2026-11-23T05:00:00.000Z"],
    // Clocks go forward, and back.
    ["America/New_York", "2026-03-08T12:00:00Z", "2026-03-08 23 h from 2026-03-08T05:00:00.000Z"],
    ["America/New_York", "2026-11-01T05:30:00Z", "2026-11-01 25 h from 2026-11-01T04:00:00.000Z"],
    ["America/New_York", "2026-11-02T04:59:59.999Z", "2026-11-01 25 h from 2026-11-01T04:00:00.000Z"],
    ["Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-29 23 h from 2026-03-28T23:00:00.000Z"],
    ["Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-25 25 h from 2026-10-24T22:00:00.000Z"],
    // Half an hour, and a midnight that does not exist.
    ["Australia/Lord_Howe", "2026-04-05T00:00:00Z", "2026-04-05 24.5 h from 2026-04-04T13:00:00.000Z"],
    ["Africa/Cairo", "2026-04-24T10:00:00Z", "2026-04-24 23 h from 2026-04-23T22:00:00.000Z"],
    ["Pacific/Kiritimati", "2026-11-23T10:00:00Z", "2026-11-24 24 h from 2026-11-23T10:00:00.000Z"]
  ])("in %s at %s is %s", (zone, at, day) => assert.strictEqual(hours(zone, at), day))

  it("follows the one before without a gap, all year, in zones that change their clocks", () => {
    for (const zone of ["America/New_York", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe"]) {
      let day = dayIn(zone, Date.parse("2026-01-01T12:00:00Z"))
      for (let count = 0; count < 366; count += 1) {
        const next = dayIn(zone, day.endMs)
        assert.strictEqual(next.startMs, day.endMs)
        assert.strictEqual(dayIn(zone, next.endMs - 1).date, next.date)
        assert.isTrue(next.date > day.date)
        day = next
      }
    }
  })

  it("is asked only of a zone that exists", () => {
    assert.isTrue(isZone("America/New_York"))
    for (const name of ["", "New York", "UTC+25", "Mars/Olympus"]) assert.isFalse(isZone(name))
  })
})
