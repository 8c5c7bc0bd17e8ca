/**
 * settings-risk: the limits of the configuration file, with their defaults: of orders, of scopes, of circuit breakers.
 *
 * A part of settings.ts.
 *
 * Promises: null switches a limit off, and nothing else does.
 * Never: reads a file or the environment.
 */
import { z } from "zod"
import { breakerLimits } from "../domain/kernel/breaker-limits.ts"
import { isZone } from "../domain/kernel/day.ts"
import { breachStates, type BreakerLimits } from "../domain/kernel/settings.ts"
import { mapOf, natural, positive, text, wholeFrom, zoneWords } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const scopeWords = 'must be "global", "account:NAME" or "strategy:NAME"'
const scope = z.string(scopeWords).regex(/^(global|(account|strategy):[a-z0-9][a-z0-9_-]{0,63})$/, scopeWords)
const off = <Limit extends z.ZodType>(limit: Limit, description: string) =>
  limit.nullable().default(null).meta({ description })

const scopeLimits = z
  .strictObject({
    ordersPerMinuteMax: off(natural, "Entries sent within any 60 s, those that wait to be sent included."),
    priceCollarPct: off(
      positive,
      "Percent by which an entry's side of the quote, and the price in its alert, may differ from the last price."
    ),
    priceCollarReducePct: off(
      positive,
      "The same for orders that close: beyond it they wait and raise an alert; without a quote they are sent."
    ),
    cooldownAfterLossMs: off(natural, "No entry for this long after an order that closed at a loss."),
    cooldownAfterCrashMs: off(natural, "No entry for this long after a start that follows an unclean stop."),
    dailyLossMax: off(
      positive,
      "Loss of the day in `zone`, realised and unrealised, at which the scope is stopped."
    ),
    drawdownMax: off(
      positive,
      "Loss from the high-water mark, realised and unrealised, at which the scope is stopped."
    ),
    lossStreakMax: off(natural, "Consecutive orders that closed at a loss, at which the scope is stopped."),
    onBreach: oneOf(breachStates).default("REDUCING").meta({
      description:
        "What the last three set the scope's trading state to, until an operator resumes. HALTED holds exits as well (T6)."
    })
  })
  .meta({
    id: "ScopeLimits",
    description:
      "Limits of the whole installation, an account or a strategy; null: unlimited. A resume resets the day's loss, the high-water mark and the streak."
  })

const breakerWords = 'must be "broker", "strategy", "broker:NAME" or "strategy:NAME"'
const breakerKey = z
  .string(breakerWords)
  .regex(/^(broker|strategy)(:[a-z0-9][a-z0-9_-]{0,63})?$/, breakerWords)

const breaker = z
  .strictObject({
    failuresMax: natural.nullable().exactOptional().meta({
      description:
        "Orders that fail within `windowMs` and open it: at a broker creates and cancels without a usable response, of a strategy creates that are refused as well. null: only an operator opens it. Absent: 20 in PRACTICE, 5 elsewhere."
    }),
    readFailuresMax: off(
      natural,
      "The same for look-ups at a broker. By default they do not count: an account whose broker does not answer sends no entry anyway."
    ),
    failurePct: wholeFrom(1, 100)
      .default(50)
      .meta({ description: "And at least so many percent of the calls in the window failed." }),
    windowMs: wholeFrom(1_000, breakerLimits.windowMsMax)
      .default(60_000)
      .meta({ description: "Length of the sliding window." }),
    cooldownMs: natural.default(30_000).meta({
      description: "Time from its opening until probes; doubled with each opening after the first."
    }),
    cooldownMsMax: natural.default(600_000).meta({ description: "The longest cooldown." }),
    resetAfterMs: natural
      .default(600_000)
      .meta({ description: "After this long without an opening the next cooldown is the first again." }),
    probesMin: wholeFrom(1, 100)
      .default(3)
      .meta({ description: "Look-ups at the venue that must be answered in a row before it closes." }),
    probeEveryMs: wholeFrom(100).default(2_000).meta({ description: "Time between two of them." })
  })
  .meta({ id: "BreakerLimits", description: "The circuit breaker of a broker or a strategy (breakers.md)." })

export const risk = z
  .strictObject({
    openPositionsMax: natural.nullable().default(null).meta({ description: "Open positions of an account." }),
    openPositionsPerSymbolMax: natural.nullable().default(null).meta({
      description: "How often one symbol may be added to: its open position and each open entry count as one."
    }),
    quantityMax: positive.nullable().default("10000").meta({ description: "Quantity of one order." }),
    notionalMax: positive.nullable().default(null).meta({ description: "Value of one order." }),
    exposureMax: positive
      .nullable()
      .default(null)
      .meta({ description: "Value of all positions and open orders of an account." }),
    buyingPowerMultiple: positive.nullable().exactOptional().meta({
      description:
        'Exposure per unit of own money, within the venue\'s buying power. Absent: unchecked in PRACTICE, "1" elsewhere.'
    }),
    zone: text
      .refine(isZone, zoneWords)
      .default("UTC")
      .meta({ description: "Time zone whose midnight starts a day." }),
    scopes: mapOf(scope, scopeLimits).default({}).meta({ description: "Limits by scope." }),
    breakers: mapOf(breakerKey, breaker).default({}).meta({
      description:
        "Circuit breakers: `broker` and `strategy` for all of a kind, `broker:NAME` and `strategy:NAME` for one, which then has nothing of its kind's."
    })
  })
  .meta({ id: "RiskSettings", description: "Limits of T6; null switches a check off." })

/** The defaults of a circuit breaker. */
export const plainBreaker: BreakerLimits = breaker.parse({})
