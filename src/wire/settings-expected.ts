/**
 * settings-expected: what a source is expected to send, as the settings have it (F4).
 *
 * Promises: as settings.ts, which this is a part of.
 * Never: judges an interval (domain/kernel/settings-expected.ts).
 */
import { z } from "zod"
import { isZone } from "../domain/kernel/day.ts"
import { WEEKDAYS } from "../domain/kernel/settings.ts"
import { natural, text, wholeFrom, zoneWords } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const timeOfDay = "must be a time of the day such as 09:30"
export const clock = z.string(timeOfDay).regex(/^([01]\d|2[0-3]):[0-5]\d$/, timeOfDay)
const hours = z
  .strictObject({
    zone: text
      .refine(isZone, zoneWords)
      .default("UTC")
      .meta({ description: "Time zone of `from` and `to`." }),
    from: clock.meta({ description: "When it opens; bars are counted from here." }),
    to: clock.meta({ description: "When it closes; not after `from`: on the next day." }),
    days: z
      .array(oneOf(WEEKDAYS), "must be a list of days")
      .min(1, "names no day; leave it out for all of them")
      .default([...WEEKDAYS])
      .meta({ description: "The days on which it opens." })
  })
  .meta({ id: "ExpectedHours", description: "Opening hours, of a calendar that never closes; null: always." })

export const expected = z
  .strictObject({
    kind: oneOf(["bars", "rate"]).meta({
      description: "`bars`: at the end of every bar; `rate`: in any stretch of time in which it is open."
    }),
    every: text.meta({ description: "The interval, such as `5m`: of the bars, or of the rate." }),
    signals: natural
      .default(1)
      .meta({ description: "At least so many signals each time; metadata is none." }),
    graceMs: wholeFrom(1_000, 86_400_000)
      .default(60_000)
      .meta({ description: "A signal that comes later than this is missing until it comes." }),
    calendar: oneOf(["24x7", "XNYS"]).default("24x7").meta({ description: "When it sends." }),
    hours: hours.nullable().default(null)
  })
  .meta({
    id: "ExpectedSignals",
    description: "What a source is expected to send; what does not come is an alert. null: nothing."
  })
