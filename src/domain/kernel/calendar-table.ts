/**
 * calendar-table: on which days exchanges do not trade as usual, as they have announced it.
 *
 * A rule is right until an exchange decides otherwise: a day of mourning, a jobs report on Good Friday. So the announced days are
 * listed here, each list with its source and the last day that it covers. Beyond that day calendar.ts continues by rule, entries
 * are denied, and operators are warned two months before.
 *
 * Promises: between `from` and `validUntil` the list is complete: what is not in it is an ordinary day.
 * Never: has a weekend in it; knows a rule.
 */

/** Announced days by their ISO date. */
export interface CalendarTable {
  readonly source: string
  /** When it was last compared with its source, as a month. */
  readonly asOf: string
  /** First and last day covered. */
  readonly from: string
  readonly validUntil: string
  /** Days without a session. */
  readonly closed: ReadonlyArray<string>
  /** Days whose session ends early, and when, in the exchange's own time. */
  readonly early: Readonly<Record<string, string>>
}

const at = (time: string, ...days: ReadonlyArray<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(days.map((day) => [day, time]))

// prettier-ignore
export const XNYS_TABLE: CalendarTable = {
  source: "NYSE Group, holidays and trading hours",
  asOf: "2026-11",
  from: "2025-01-01",
  validUntil: "2028-12-31",
  closed: [
    "2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26", "2025-06-19", "2025-07-04",
    "2025-09-01", "2025-11-27", "2025-12-25",
    "2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25", "2026-06-19", "2026-07-03", "2026-09-07",
    "2026-11-26", "2026-12-25",
    "2027-01-01", "2027-01-18", "2027-02-15", "2027-03-26", "2027-05-31", "2027-06-18", "2027-07-05", "2027-09-06",
    "2027-11-25", "2027-12-24",
    "2028-01-17", "2028-02-21", "2028-04-14", "2028-05-29", "2028-06-19", "2028-07-04", "2028-09-04", "2028-11-23",
    "2028-12-25"
  ],
  early: at("13:00", "2025-07-03", "2025-11-28", "2025-12-24", "2026-11-27", "2026-12-24", "2027-11-26", "2028-07-03", "2028-11-24")
}

/** Equity index futures on Globex. Days are trade dates: the session of a day begins on the evening before. */
// prettier-ignore
export const XCME_TABLE: CalendarTable = {
  source:
    "CME Group, Globex holiday schedule of equity index products: 2026 as published, 2027 by the rules of its schedules from 2022 on",
  asOf: "2026-11",
  from: "2026-01-01",
  validUntil: "2027-12-31",
  closed: ["2026-01-01", "2026-12-25", "2027-01-01", "2027-03-26", "2027-12-24"],
  early: {
    // The jobs report is published on Good Friday of 2026, and is traded.
    ...at("08:15", "2026-04-03"),
    ...at("12:00", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26",
      "2027-01-18", "2027-02-15", "2027-05-31", "2027-06-18", "2027-07-05", "2027-09-06", "2027-11-25"),
    ...at("12:15", "2026-11-27", "2026-12-24", "2027-11-26")
  }
}
