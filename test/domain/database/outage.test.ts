/** When an absence is reported, and what is reported of it. */
import { assert, describe, it } from "vitest"
import {
  lookAtOutage,
  type Outage,
  type OutageLook,
  type OutageNews
} from "../../../src/domain/database/outage.ts"

/** Looks one after the other; the news of each. */
const watch = (looks: ReadonlyArray<Partial<OutageLook> & { readonly nowMs: number }>) => {
  let outage: Outage = null
  const news: Array<OutageNews | null> = []
  for (const look of looks) {
    const now = { away: true, cause: null, refused: 0, ...look }
    const next = lookAtOutage(outage, { refusedInRow: 0, spooled: 0, spooledInRow: 0, ...now }, 5_000)
    outage = next.outage
    news.push(next.news)
  }
  return news
}

describe("an absence", () => {
  it("of five seconds is told by nothing", () => {
    assert.deepStrictEqual(
      watch([{ nowMs: 0 }, { nowMs: 5_000 }, { nowMs: 5_001, away: false }, { nowMs: 6_000 }]),
      [null, null, null, null]
    )
  })
  it("that is longer is told once while it lasts, and with length, cause and cost when it is over", () => {
    const news = watch([
      { nowMs: 500, away: false, refused: 7, refusedInRow: 1 },
      { nowMs: 1_000, cause: "first", refused: 7, refusedInRow: 1, spooled: 12, spooledInRow: 2 },
      { nowMs: 6_001, cause: "connect ECONNREFUSED", refused: 9, spooled: 15, spooledInRow: 5 },
      { nowMs: 30_000, cause: null, refused: 12, spooled: 40, spooledInRow: 30 },
      { nowMs: 94_000, away: false, cause: null, refused: 12, spooled: 41, spooledInRow: 0 },
      { nowMs: 95_000, away: false }
    ])
    assert.deepStrictEqual(news, [
      null,
      null,
      { _tag: "Away", sinceMs: 1_000, cause: "connect ECONNREFUSED", refused: 3, spooled: 5 },
      null,
      {
        _tag: "Back",
        sinceMs: 1_000,
        cause: "connect ECONNREFUSED",
        refused: 6,
        spooled: 31,
        lastedMs: 93_000
      },
      null
    ])
  })
  it("that comes again is another one", () => {
    const news = watch([
      { nowMs: 0 },
      { nowMs: 6_000 },
      { nowMs: 7_000, away: false },
      { nowMs: 8_000 },
      { nowMs: 13_000 },
      { nowMs: 13_001 }
    ])
    assert.deepStrictEqual(
      news.map((one) => one && [one._tag, one.sinceMs]),
      [null, ["Away", 0], ["Back", 0], null, null, ["Away", 8_000]]
    )
  })
})
