/**
 * latency: the execution ledger, as the API returns it.
 *
 * Promises: instants are null until they are known; durations are milliseconds, slippage is a decimal per unit, positive where it cost.
 * Never: shows the canary.
 */
import { z } from "zod"
import { ORDER_STATUSES } from "../domain/orders/order.ts"
import { byInstant, byName, listQuery, page } from "./page.ts"
import { count, decimal, instant, uuid } from "./words.ts"
import { endpoint, list } from "./endpoint.ts"

const known = instant.nullable()

export const times = z
  .object({
    bar: known.meta({ description: "The end of the bar or wave it is about, where the sender gives that." }),
    fired: known.meta({ description: "When the sender says that it fired." }),
    received: known,
    decided: known,
    sent: known.meta({ description: "Of its first order, as the rest." }),
    acked: known,
    filled: known.meta({ description: "When the last of its fills was stored." })
  })
  .meta({ id: "Times" })

const ledgerRow = times
  .extend({
    order_id: uuid,
    signal_id: uuid,
    source: z.string(),
    strategy: z.string().nullable(),
    account: z.string(),
    venue: z.string(),
    symbol: z.string(),
    side: z.enum(["buy", "sell"]),
    status: z.enum(ORDER_STATUSES),
    average_price: decimal.nullable(),
    quoted_price: decimal.nullable().meta({
      description: "What the quote it was decided on would have cost: the ask for a buy, the bid for a sell."
    }),
    slippage: decimal.nullable().meta({ description: "Per unit against that quote; negative: better." })
  })
  .meta({ id: "LedgerRow" })

const quantiles = z
  .object({ p50: z.number().nullable(), p99: z.number().nullable(), count })
  .meta({ id: "Quantiles" })

const distribution = z
  .object({
    fired_to_received_ms: quantiles.meta({ description: "From the bar's end where the sender gives that." }),
    received_to_decided_ms: quantiles,
    decided_to_sent_ms: quantiles,
    sent_to_acked_ms: quantiles,
    acked_to_filled_ms: quantiles,
    received_to_filled_ms: quantiles,
    slippage_bps: quantiles
  })
  .meta({ id: "Latency" })

export const getLatency = endpoint({
  ...list,
  path: "/api/v1/latency",
  tag: "trading",
  name: "getLatency",
  summary:
    "The execution ledger: the instants of each order of a signal, newest first, and their distribution.",
  query: listQuery({
    source: byName,
    strategy: byName,
    account: byName,
    venue: byName,
    symbol: byName,
    from: byInstant,
    to: byInstant
  }),
  answers: {
    200: page(ledgerRow).extend({
      summary: distribution.meta({
        description: "Of all orders of the filter, the newest 10,000 of them at most; not only of this page."
      })
    })
  }
})

export const latencyEndpoints = [getLatency]
