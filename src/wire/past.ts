/**
 * past: what a node was at an entry of its journal, as the API shows it.
 *
 * Promises: the words are those of the lists of now, so that a reader of one reads the other; what nothing tells is null.
 * Never: has a field that is of now.
 */
import { z } from "zod"
import type { PastComponent, PastHealth, PastOrder, PastPosition } from "../domain/health/past.ts"
import { isoOf } from "../domain/kernel/iso-time.ts"
import { count, decimal, instant, uuid } from "./words.ts"

const component = z
  .object({
    path: z.string(),
    type: z.string(),
    machine: z.string().nullable(),
    phase: z.string(),
    state: z.string().meta({ description: "As the journal names it: every region of its machine." }),
    ready: z.boolean(),
    since: instant,
    incarnation: count,
    restarts: count.meta({ description: "Since its process began." }),
    last_error: z.string().nullable()
  })
  .meta({ id: "PastComponent" })

const health = z
  .object({
    status: z.string(),
    since: instant,
    ready: z.boolean(),
    can_trade: z.boolean(),
    trading_state: z.string().nullable(),
    reasons: z.array(z.string())
  })
  .meta({ id: "PastHealth" })

const order = z
  .object({
    id: z.string(),
    account: z.string(),
    strategy: z.string(),
    symbol: z.string(),
    side: z.string(),
    quantity: decimal,
    filled_quantity: decimal,
    status: z.string(),
    reason: z.string().nullable(),
    correlation_id: z.string().nullable(),
    since: instant
  })
  .meta({ id: "PastOrder" })

const position = z
  .object({
    account: z.string(),
    symbol: z.string(),
    quantity: decimal,
    average_price: decimal,
    realised_pnl: decimal
  })
  .meta({ id: "PastPosition" })

export const past = z
  .object({
    seq: count.meta({ description: "The last entry that counts." }),
    at: instant,
    boot: uuid.meta({ description: "The process of that entry." }),
    folded: count.meta({ description: "Entries between the picture it was made from and `seq`." }),
    missing: count.meta({
      description: "Entries of those that are nowhere: what they told is not in the answer."
    }),
    health: health.nullable(),
    components: z.array(component),
    orders: z
      .array(order)
      .nullable()
      .meta({ description: "Open then, or ended in the minute before; null where nothing tells." }),
    positions: z.array(position).nullable().meta({ description: "Null where nothing tells." }),
    is_part: z.boolean().meta({ description: "There were more open orders or positions than are kept." })
  })
  .meta({ id: "Past" })

export const componentItem = ({ lastError, since, ...one }: PastComponent) => ({
  ...one,
  since: isoOf(since),
  last_error: lastError
})
export const healthItem = ({ canTrade, since, tradingState, ...one }: PastHealth) => ({
  ...one,
  since: isoOf(since),
  can_trade: canTrade,
  trading_state: tradingState
})
export const orderItem = ({ correlationId, filledQuantity, since, ...one }: PastOrder) => ({
  ...one,
  filled_quantity: filledQuantity,
  correlation_id: correlationId,
  since: isoOf(since)
})
export const positionItem = ({ averagePrice, realisedPnl, ...one }: PastPosition) => ({
  ...one,
  average_price: averagePrice,
  realised_pnl: realisedPnl
})
