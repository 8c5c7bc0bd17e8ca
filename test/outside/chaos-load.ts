/**
 * What is posted during a chaos run: opens, closes and reversals, in accounts that may and may not be short.
 *
 * Promises: every body states by its own fields what may come of it, so the judge needs no other list.
 * Never: posts what a sender would have to be refused for.
 */
import type { Random } from "./random.ts"
import { alertBody } from "./service.ts"
import type { Delivery } from "./producer.ts"

const symbols = ["SPY", "QQQ", "BTC-USDT", "ETH-USDT"] as const

/** Fields of a body, by what it asks for. */
const wishes: Readonly<Record<"long" | "both", ReadonlyArray<Readonly<Record<string, unknown>>>>> = {
  long: [
    { action: "BUY", direction: "long" },
    { action: "BUY", direction: "long" },
    { action: "BUY", direction: "long" },
    { action: "SELL", direction: "long" },
    { action: "close" }
  ],
  both: [
    { action: "BUY", direction: "long" },
    { action: "SELL", direction: "short" },
    { action: "SELL", direction: "long" },
    { action: "BUY", direction: "short" },
    { intent: "reverse" },
    { action: "flat" }
  ]
}

/** Half of the bodies name their event, half are known by their content. */
export const chaosBody = (random: Random, count: number): Pick<Delivery, "source" | "body"> => {
  const source = random.next() < 0.4 ? "fan" : "default"
  const wish = random.pick(source === "fan" ? wishes.both : wishes.long)
  const id = random.next() < 0.5 ? {} : { id: `event-${count}-${random.next()}` }
  const isClose = closes({ body: wish })
  const size = isClose ? {} : { quantity: 1 + Math.floor(random.between(0, 3)) }
  const { direction: _, ...plain } = alertBody({ symbol: random.pick(symbols) })
  return { source, body: { ...plain, ...size, ...wish, ...id } }
}

/** True of a body that asks for less: no order of it may open or turn a position. */
export const closes = ({ body }: Pick<Delivery, "body">): boolean =>
  body["action"] === "close" ||
  body["action"] === "flat" ||
  (body["action"] === "SELL" && body["direction"] === "long") ||
  (body["action"] === "BUY" && body["direction"] === "short")

/** True of a body that asks for the other side, so a position may cross zero by its order. */
export const mayTurn = ({ body, source }: Pick<Delivery, "body" | "source">): boolean =>
  source === "fan" && !closes({ body })
