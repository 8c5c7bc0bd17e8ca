import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  CALENDAR_WARNING_DAYS,
  calendarWarning,
  allClosedReason,
  closedReason,
  cmeSessionOfDay,
  coverOf,
  isOpen,
  isOver,
  monthlyExpiration,
  nextOpenMs,
  sessionOfDay
} from "../../../src/domain/kernel/calendar.ts"
import { dayIn } from "../../../src/domain/kernel/day.ts"

const at = (iso: string): number => Date.parse(iso)
/** Days from the epoch. */
const dayOf = (iso: string): number => at(`${iso}T00:00:00Z`) / 86_400_000
const isoOf = (date: { year: number; month: number; day: number }): string =>
  `${date.year}-${String(date.month).padStart(2, "0")}-${String(date.day).padStart(2, "0")}`

// Written down from the exchange's own announcements: the oracle must not be computed by the rules under test.
const closed: Record<string, ReadonlyArray<string>> = {
  "2024": ["01-01", "01-15", "02-19", "03-29", "05-27", "06-19", "07-04", "09-02", "11-28", "12-25"],
  "2025": ["01-01", "01-09", "01-20", "02-17", "04-18", "05-26", "06-19", "07-04", "09-01", "11-27", "12-25"],
  "2026": ["01-01", "01-19", "02-16", "04-03", "05-25", "06-19", "07-03", "09-07", "11-26", "12-25"],
  "2027": ["01-01", "01-18", "02-15", "03-26", "05-31", "06-18", "07-05", "09-06", "11-25", "12-24"],
  "2028": ["01-17", "02-21", "04-14", "05-29", "06-19", "07-04", "09-04", "11-23", "12-25"],
  "2029": ["01-01", "01-15", "02-19", "03-30", "05-28", "06-19", "07-04", "09-03", "11-22", "12-25"],
  "2030": ["01-01", "01-21", "02-18", "04-19", "05-27", "06-19", "07-04", "09-02", "11-28", "12-25"]
}
const early: Record<string, ReadonlyArray<string>> = {
  "2024": ["07-03", "11-29", "12-24"],
  "2025": ["07-03", "11-28", "12-24"],
  "2026": ["11-27", "12-24"],
  "2027": ["11-26"],
  "2028": ["07-03", "11-24"],
  "2029": ["07-03", "11-23", "12-24"],
  "2030": ["07-03", "11-29", "12-24"]
}

const newYork = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  hourCycle: "h23",
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  weekday: "short",
  hour: "2-digit",
  minute: "2-digit"
})
const local = (ms: number): Record<string, string> =>
  Object.fromEntries(newYork.formatToParts(ms).map((part) => [part.type, part.value]))

// The same for index futures on Globex: days without a session of their own, and when the others end in Chicago.
const cmeClosed: Record<string, ReadonlyArray<string>> = {
  "2026": ["01-01", "12-25"],
  "2027": ["01-01", "03-26", "12-24"],
  // By rule: the announced days end before.
  "2028": ["04-14", "12-25"],
  "2029": ["01-01", "03-30", "12-25"]
}
const cmeEarly: Record<string, Record<string, number>> = {
  "2026": {
    "04-03": 495,
    ...Object.fromEntries(
      ["01-19", "02-16", "05-25", "06-19", "07-03", "09-07", "11-26"].map((day) => [day, 720])
    ),
    "11-27": 735,
    "12-24": 735
  },
  "2027": {
    ...Object.fromEntries(
      ["01-18", "02-15", "05-31", "06-18", "07-05", "09-06", "11-25"].map((day) => [day, 720])
    ),
    "11-26": 735
  },
  "2028": {
    ...Object.fromEntries(
      ["01-17", "02-21", "05-29", "06-19", "07-04", "09-04", "11-23"].map((day) => [day, 720])
    ),
    "07-03": 735,
    "11-24": 735
  },
  "2029": {
    ...Object.fromEntries(
      ["01-15", "02-19", "05-28", "06-19", "07-04", "09-03", "11-22"].map((day) => [day, 720])
    ),
    "07-03": 735,
    "11-23": 735,
    "12-24": 735
  }
}

const localIn = (timeZone: string) => {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit"
  })
  return (ms: number) => {
    const parts = Object.fromEntries(format.formatToParts(ms).map((part) => [part.type, part.value]))
    return {
      dayMs: at(`${parts["year"]}-${parts["month"]}-${parts["day"]}T00:00:00Z`),
      minute: Number(parts["hour"]) * 60 + Number(parts["minute"])
    }
  }
}
const inNewYork = localIn("America/New_York")
const inChicago = localIn("America/Chicago")
const yearAndDay = (dayMs: number): readonly [string, string] => {
  const iso = new Date(dayMs).toISOString().slice(0, 10)
  return [iso.slice(0, 4), iso.slice(5)]
}
const isWeekday = (dayMs: number): boolean => ![0, 6].includes(new Date(dayMs).getUTCDay())

/** Whether New York trades, by the announcements above and the clock of the zone. */
const oracleXNYS = (ms: number): boolean => {
  const { dayMs, minute } = inNewYork(ms)
  const [year, day] = yearAndDay(dayMs)
  if (!isWeekday(dayMs) || closed[year]?.includes(day) === true) return false
  return minute >= 570 && minute < (early[year]?.includes(day) === true ? 780 : 960)
}
const oracleXCME = (ms: number): boolean => {
  const { dayMs, minute } = inChicago(ms)
  const evening = minute >= 1_020
  const trades = evening ? dayMs + 86_400_000 : dayMs
  const [year, day] = yearAndDay(trades)
  if (!isWeekday(trades) || cmeClosed[year]?.includes(day) === true) return false
  return evening || minute < (cmeEarly[year]?.[day] ?? 960)
}

describe("four hundred days, asked from ten time zones", () => {
  const zones = [
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe"
  ]
  it.each(zones)("[%s] are open exactly when the exchanges announced it", (zone) => {
    for (let day = 0; day < 400; day += 1) {
      const midnight = dayIn(zone, at("2026-10-15T12:00:00Z") + day * 86_400_000).startMs
      // Every quarter of an hour of a zone's day, though not of each day.
      for (let minute = (day % 5) * 15; minute < 1_440; minute += 75) {
        const ms = midnight + minute * 60_000
        const when = `${zone} ${new Date(ms).toISOString()}`
        assert.strictEqual(isOpen("XNYS", ms), oracleXNYS(ms), `XNYS ${when}`)
        assert.strictEqual(isOpen("XCME", ms), oracleXCME(ms), `XCME ${when}`)
        assert.isTrue(isOpen("24x7", ms))
      }
    }
  })
})

describe("XCME", () => {
  for (const year of Object.keys(cmeClosed)) {
    it(`has exactly the sessions of ${year}`, () => {
      const foundClosed: Array<string> = []
      const foundEarly: Record<string, number> = {}
      for (
        let ms = at(`${year}-01-01T00:00:00Z`);
        ms < at(`${Number(year) + 1}-01-01T00:00:00Z`);
        ms += 86_400_000
      ) {
        const session = cmeSessionOfDay(ms / 86_400_000)
        const [, day] = yearAndDay(ms)
        if (!isWeekday(ms)) assert.isNull(session, day)
        else if (session === null) foundClosed.push(day)
        else {
          const open = inChicago(session.openMs)
          assert.deepStrictEqual(open, { dayMs: ms - 86_400_000, minute: 1_020 }, day)
          const close = inChicago(session.closeMs)
          assert.strictEqual(close.dayMs, ms)
          if (session.early) foundEarly[day] = close.minute
          else assert.strictEqual(close.minute, 960, day)
        }
      }
      assert.deepStrictEqual(foundClosed, cmeClosed[year])
      assert.deepStrictEqual(foundEarly, cmeEarly[year])
    })
  }

  it("pauses for an hour in the afternoon, and over the weekend from Friday on", () => {
    assert.isTrue(isOpen("XCME", at("2026-11-18T21:59:59.999Z")))
    assert.isFalse(isOpen("XCME", at("2026-11-18T22:00:00Z")))
    assert.strictEqual(nextOpenMs("XCME", at("2026-11-18T22:00:00Z")), at("2026-11-18T23:00:00Z"))
    assert.isTrue(isOpen("XCME", at("2026-11-18T23:00:00Z")))
    assert.strictEqual(nextOpenMs("XCME", at("2026-11-20T22:00:00Z")), at("2026-11-22T23:00:00Z"))
  })

  it("opens in the evening of Christmas and of New Year", () => {
    // Christmas of 2024, a Wednesday, is by rule.
    assert.strictEqual(nextOpenMs("XCME", at("2024-12-24T18:15:00Z")), at("2024-12-25T23:00:00Z"))
    assert.strictEqual(nextOpenMs("XCME", at("2026-01-01T12:00:00Z")), at("2026-01-01T23:00:00Z"))
  })
})

describe("the announced days of a calendar", () => {
  const dayMs = 86_400_000
  it.each(["XNYS", "XCME"] as const)(
    "[%s] have a source and an end, of which operators are warned",
    (name) => {
      const cover = coverOf(name)
      assert.isNotNull(cover)
      if (cover === null) return
      assert.match(cover.source, /\w{3}/)
      assert.match(cover.asOf, /^\d{4}-\d{2}$/)
      const first = cover.endsMs - CALENDAR_WARNING_DAYS * dayMs
      assert.isNull(calendarWarning(name, first - 1))
      assert.strictEqual(calendarWarning(name, first), `the calendar ${name} ends with ${cover.validUntil}`)
      assert.isFalse(isOver(name, cover.endsMs - 1))
      assert.isTrue(isOver(name, cover.endsMs))
      assert.strictEqual(
        calendarWarning(name, cover.endsMs),
        `the calendar ${name} ended with ${cover.validUntil}: nothing is opened by it`
      )
    }
  )

  it("has none that could end where the market never closes", () => {
    assert.isNull(coverOf("24x7"))
    assert.isNull(calendarWarning("24x7", at("2099-01-01T00:00:00Z")))
    assert.isFalse(isOver("24x7", at("2099-01-01T00:00:00Z")))
  })
})

describe("XNYS", () => {
  for (const year of Object.keys(closed)) {
    it(`keeps exactly the announced holidays and early closes of ${year}`, () => {
      const foundClosed: Array<string> = []
      const foundEarly: Array<string> = []
      for (
        let ms = at(`${year}-01-01T00:00:00Z`);
        ms < at(`${Number(year) + 1}-01-01T00:00:00Z`);
        ms += 86_400_000
      ) {
        const iso = new Date(ms).toISOString().slice(0, 10)
        const weekend = [0, 6].includes(new Date(ms).getUTCDay())
        const session = sessionOfDay(ms / 86_400_000)
        if (weekend) assert.isNull(session, iso)
        else if (session === null) foundClosed.push(iso.slice(5))
        else if (session.early) foundEarly.push(iso.slice(5))
      }
      assert.deepStrictEqual(foundClosed, closed[year])
      assert.deepStrictEqual(foundEarly, early[year])
    })
  }

  it("keeps New Year's Day on the Monday after a Sunday, and on no other day when it is a Saturday", () => {
    assert.isNull(sessionOfDay(dayOf("2023-01-02")))
    assert.isNull(sessionOfDay(dayOf("2034-01-02")))
    assert.isNotNull(sessionOfDay(dayOf("2027-12-31")))
    assert.isNotNull(sessionOfDay(dayOf("2021-12-31")))
  })

  it("opens at 09:30 and closes at 16:00, or 13:00 early, in New York's own time, on every day of 2024-2030", () => {
    for (let ms = at("2024-01-01T00:00:00Z"); ms < at("2031-01-01T00:00:00Z"); ms += 86_400_000) {
      const iso = new Date(ms).toISOString().slice(0, 10)
      const session = sessionOfDay(ms / 86_400_000)
      if (session === null) continue
      const open = local(session.openMs)
      const close = local(session.closeMs)
      assert.strictEqual(
        `${open["year"]}-${open["month"]}-${open["day"]} ${open["hour"]}:${open["minute"]}`,
        `${iso} 09:30`
      )
      assert.strictEqual(`${close["hour"]}:${close["minute"]}`, session.early ? "13:00" : "16:00", iso)
    }
  })

  it("[T2] of several is one only while all are closed: that of the first to open", () => {
    const night = at("2026-11-23T03:00:00.000Z")
    assert.isNull(allClosedReason(["XNYS", "XCME"], night))
    assert.isNull(allClosedReason(["XNYS", "24x7"], night))
    const sunday = at("2026-11-22T18:00:00.000Z")
    const first = "market closed until 2026-11-22T23:00:00.000Z"
    assert.strictEqual(allClosedReason(["XNYS", "XCME"], sunday), first)
    assert.strictEqual(allClosedReason(["XCME", "XNYS"], sunday), first)
  })

  it("is open from the first millisecond of the session to the last one before the close", () => {
    assert.isFalse(isOpen("XNYS", at("2026-11-20T14:29:59.999Z")))
    assert.isTrue(isOpen("XNYS", at("2026-11-20T14:30:00.000Z")))
    assert.isTrue(isOpen("XNYS", at("2026-11-20T20:59:59.999Z")))
    assert.isFalse(isOpen("XNYS", at("2026-11-20T21:00:00.000Z")))
    assert.isNull(closedReason("XNYS", at("2026-11-20T20:59:59.999Z")))
    assert.isNull(closedReason("24x7", at("2026-11-20T21:00:00.000Z")))
    assert.strictEqual(
      closedReason("XNYS", at("2026-11-20T21:00:00.000Z")),
      "market closed until 2026-11-23T14:30:00.000Z"
    )
  })

  it("follows New York through the switch to summer time", () => {
    assert.isFalse(isOpen("XNYS", at("2026-03-06T13:45:00Z")))
    assert.isTrue(isOpen("XNYS", at("2026-03-09T13:45:00Z")))
  })

  const instant = Schema.Int.check(
    Schema.isBetween({ minimum: at("2024-01-01T00:00:00Z"), maximum: at("2030-12-31T00:00:00Z") })
  )

  it.prop(
    "[any instant of 2024-2030] open implies a weekday and exchange hours in New York",
    [instant],
    ([ms]) => {
      if (!isOpen("XNYS", ms)) return
      const parts = local(ms)
      const minutes = Number(parts["hour"]) * 60 + Number(parts["minute"])
      assert.notInclude(["Sat", "Sun"], parts["weekday"])
      assert.isTrue(minutes >= 570 && minutes < 960)
    },
    { arbitrary: { runs: 2_000 } }
  )

  it.prop(
    "[any instant of 2024-2030] the next opening is open, not before, and nothing between is open",
    [instant],
    ([ms]) => {
      const next = nextOpenMs("XNYS", ms)
      assert.isTrue(next >= ms && next - ms <= 5 * 86_400_000)
      assert.isTrue(isOpen("XNYS", next))
      if (next > ms) {
        assert.isFalse(isOpen("XNYS", next - 1))
        for (let probe = ms; probe < next; probe += 15 * 60_000) assert.isFalse(isOpen("XNYS", probe))
      }
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop(
    "[any instant of 2024-2030] a monthly expiration is a trading day, far enough ahead, and within 60 days",
    [instant],
    ([ms]) => {
      const expiration = monthlyExpiration(ms, 7)
      assert.isNotNull(sessionOfDay(dayOf(isoOf(expiration))))
      const ahead =
        Math.floor(at(`${isoOf(expiration)}T00:00:00Z`) / 86_400_000) - Math.floor(ms / 86_400_000)
      assert.isTrue(ahead >= 7 && ahead <= 60)
    },
    { arbitrary: { runs: 500 } }
  )

  it("moves a monthly expiration to Thursday when the third Friday is a holiday", () => {
    assert.strictEqual(isoOf(monthlyExpiration(at("2025-04-01T12:00:00Z"), 7)), "2025-04-17")
    assert.strictEqual(isoOf(monthlyExpiration(at("2026-06-01T12:00:00Z"), 7)), "2026-06-18")
  })

  it("takes the next month when the third Friday is too near", () => {
    assert.strictEqual(isoOf(monthlyExpiration(at("2026-11-13T12:00:00Z"), 7)), "2026-11-20")
    assert.strictEqual(isoOf(monthlyExpiration(at("2026-11-14T12:00:00Z"), 7)), "2026-12-18")
    assert.strictEqual(isoOf(monthlyExpiration(at("2026-12-20T12:00:00Z"), 7)), "2027-01-15")
  })
})

describe("24x7", () => {
  it("never closes", () => {
    assert.isTrue(isOpen("24x7", at("2026-12-25T03:00:00Z")))
    assert.strictEqual(nextOpenMs("24x7", 5), 5)
  })
})
