/**
 * paper-venue: what the paper venue returns and streams, as its client must be able to read it.
 *
 * Written from the venue's documentation and not shared with its code: a client that imports the types of its server
 * proves only that the server agrees with itself.
 *
 * Promises: a value has every relevant field, with its type; fields that a newer venue adds are ignored.
 * Never: guesses a missing field, or judges a figure.
 */
import { z } from "zod"

/** What stands where a figure should: judged behind the adapter, where a bad one is reported (broker.gate.ts), not here silently. */
const amount = z.union([z.string(), z.number(), z.null()]).transform(String)
const digits = z.string().regex(/^\d+$/)
const instant = z.string().refine((text) => !Number.isNaN(Date.parse(text)), "must be an ISO 8601 time")
const id = z.string().min(1)
const side = z.enum(["buy", "sell"])
const count = z.int().nonnegative()

export const order = z.object({
  id,
  client_order_id: z.string().nullable(),
  account: z.string(),
  symbol: z.string(),
  side,
  type: z.enum(["market", "limit", "stop", "stop_limit"]),
  quantity: amount,
  limit_price: amount.nullable(),
  stop_price: amount.nullable(),
  time_in_force: z.enum(["day", "gtc", "ioc"]),
  status: z.enum(["open", "partially_filled", "filled", "cancelled", "expired", "rejected"]),
  filled_quantity: amount,
  average_price: amount.nullable(),
  created_at: instant,
  updated_at: instant
})

export const fill = z.object({
  sequence: digits,
  trade_id: id,
  order_id: id,
  client_order_id: z.string().nullable(),
  account: z.string(),
  symbol: z.string(),
  side,
  quantity: amount,
  price: amount,
  fee: amount,
  at: instant
})

/** Lists; `next` is the cursor of the page after it, null on the last. */
export const orders = z.object({ orders: z.array(order), next: digits.nullable() })
export const fills = z.object({ fills: z.array(fill), next: digits.nullable() })
export const positions = z.object({
  positions: z.array(
    z.object({ account: z.string(), symbol: z.string(), quantity: amount, average_price: amount })
  )
})
export const balance = z.object({ id: z.string(), cash: amount, buying_power: amount })
export const activity = z.object({
  accounts: z.array(z.object({ id, open_orders: count, positions: count, last_sequence: digits.nullable() })),
  next: z.string().nullable()
})
export const refusal = z.object({ code: z.string(), message: z.string() })

/** A message of the stream; `n` is its number on this connection. */
export const message = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), n: z.int(), last_sequence: digits.nullable() }),
  z.object({ type: z.literal("order"), n: z.int(), order }),
  z.object({ type: z.literal("fill"), n: z.int(), fill })
])
