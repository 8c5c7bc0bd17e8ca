/**
 * trading: signals, orders, fills, positions and accounts, as the API returns them.
 *
 * The names are those of the tables, so that what an operator reads here, in psql and in a log line is the same word.
 *
 * Promises: every status word is listed.
 * Never: shows a secret; bodies are stored without theirs.
 */
import { z } from "zod"
import { VOTES } from "../domain/decision/agents.ts"
import { ENGINES } from "../domain/kernel/settings.ts"
import { FIRST_EVENT, ORDER_EVENTS, ORDER_STATUSES } from "../domain/orders/order.ts"
import { PARTIAL_MARKS } from "../domain/orders/partial.ts"
import { ORDER_TYPES, TIMES_IN_FORCE } from "../domain/signals/order-type.ts"
import { SIGNAL_STATUSES } from "../domain/signals/signal-status.ts"
import { MARKET_POSITIONS, SIGNAL_INTENTS } from "../domain/signals/signal.ts"
import { times } from "./latency.ts"
import { anyJson, anyObject, count, decimal, instant, uuid } from "./words.ts"

const side = z.enum(["buy", "sell"])
const text = z.string().nullable()

export const SIGNAL_KINDS = ["signal", "metadata"] as const

export const signal = z
  .object({
    id: uuid,
    kind: z.enum(SIGNAL_KINDS),
    source: z.string(),
    status: z.enum(SIGNAL_STATUSES),
    reason: text,
    symbol: text,
    action: z.enum(["BUY", "SELL"]).nullable(),
    direction: z.enum(["LONG", "SHORT", "CALL", "PUT"]).nullable(),
    timeframe: text,
    quantity: decimal.nullable(),
    price: decimal.nullable(),
    strategy: text,
    strike: decimal.nullable(),
    expiration: z.iso.date().nullable(),
    intent: z.enum(SIGNAL_INTENTS).nullable(),
    position_size: decimal.nullable(),
    market_position: z.enum(MARKET_POSITIONS).nullable(),
    prev_market_position: z.enum(MARKET_POSITIONS).nullable(),
    market_position_size: decimal.nullable(),
    order_type: z.enum(ORDER_TYPES).nullable(),
    limit_price: decimal.nullable(),
    stop_price: decimal.nullable(),
    time_in_force: z.enum(TIMES_IN_FORCE).nullable(),
    fired_at: instant.nullable(),
    expires_from: instant.nullable().meta({ description: "The moment its age counts from." }),
    received_at: instant,
    decided_at: instant.nullable(),
    request_id: z.string(),
    experiment_id: text,
    variant: text,
    identity_kind: z.enum(["explicit", "hash", "bucket"]),
    attempts: count,
    mapped: z.record(z.string(), z.string()).nullable().meta({
      description: "What its fields were made of, by field; null where its source maps none."
    }),
    body: anyJson.meta({ description: "As it was sent, without its secret." })
  })
  .meta({ id: "Signal" })

export const order = z
  .object({
    id: uuid,
    client_order_id: z.string(),
    signal_id: uuid.nullable().meta({ description: "Null for an exit, and for what an operator closes." }),
    account: z.string(),
    strategy: z.string(),
    leg: count,
    intent: z.enum(["entry", "reduce"]),
    sizing: z.enum(["fixed", "share", "open", "target"]),
    wanted: decimal.nullable(),
    symbol: z.string(),
    side,
    type: z.enum(ORDER_TYPES),
    quantity: decimal,
    limit_price: decimal.nullable().meta({ description: "In whole ticks: never worse than was asked." }),
    stop_price: decimal
      .nullable()
      .meta({ description: "What triggers it, in whole ticks: never earlier than was asked." }),
    time_in_force: z.enum(TIMES_IN_FORCE),
    expires_at: instant.nullable().meta({
      description:
        "When the session of a `day` order that can rest is over: then it is cancelled. Null before it was sent."
    }),
    status: z.enum(ORDER_STATUSES),
    attempt: count,
    source: z.string(),
    venue: z.string(),
    venue_order_id: text,
    filled_quantity: decimal,
    average_price: decimal.nullable(),
    reason: text,
    sends: count,
    position_id: uuid.nullable().meta({ description: "The position that an exit closes." }),
    exit_kind: text.meta({ description: "Why a position is left; `operator`: a command asked for it." }),
    command_id: uuid.nullable().meta({ description: "The command of an operator that made it." }),
    opened_by: uuid.nullable().meta({ description: "The signal that opened what it closes." }),
    correlation_id: uuid.meta({
      description:
        "What its log lines have: the signal or the command it came from, else the signal that opened what it closes, else its own id."
    }),
    partial: z.enum(PARTIAL_MARKS).nullable().meta({
      description:
        "What was done about an entry that is partly filled, by `onPartialFill`; `due`: a fill came later, it is judged again."
    }),
    compensates: uuid.nullable().meta({ description: "The partly filled entry whose fills it closes." }),
    valid_until: instant.nullable(),
    sent_at: instant.nullable(),
    resolve_until: instant.nullable(),
    created_at: instant,
    updated_at: instant,
    settled_at: instant.nullable()
  })
  .meta({ id: "Order" })

export const orderEvent = z
  .object({
    event: z.enum([FIRST_EVENT, ...ORDER_EVENTS]),
    from_status: z.enum(ORDER_STATUSES),
    to_status: z.enum(ORDER_STATUSES),
    legal: z.boolean().meta({ description: "False: it did not fit the status, and changed nothing." }),
    detail: anyObject,
    at: instant
  })
  .meta({ id: "OrderEvent" })

export const orderWithEvents = order.extend({ events: z.array(orderEvent) }).meta({ id: "OrderWithEvents" })

export const fill = z
  .object({
    id: uuid,
    venue: z.string(),
    account: z.string(),
    symbol: z.string(),
    venue_order_id: z.string(),
    trade_id: z.string(),
    client_order_id: text,
    order_id: uuid.nullable().meta({ description: "Null: the order is not one of ours." }),
    position_id: uuid.nullable(),
    side,
    quantity: decimal,
    price: decimal,
    fee: decimal,
    realised_pnl: decimal,
    source: z.string(),
    order_time: instant,
    recorded_at: instant,
    correlation_id: uuid.nullable().meta({ description: "That of its order." })
  })
  .meta({ id: "Fill" })

const share = z
  .object({
    strategy: z.string(),
    quantity: decimal,
    average_price: decimal,
    stop_price: decimal.nullable(),
    target_price: decimal.nullable(),
    best_price: decimal.nullable().meta({
      description: "The best price at which it could have been closed, of a share whose stop moves."
    }),
    stop_by: z
      .enum(["stop_loss", "trailing_stop", "break_even"])
      .nullable()
      .meta({ description: "What set its stop." }),
    opened_at: instant
  })
  .meta({ id: "PositionShare" })

export const position = z
  .object({
    id: uuid,
    account: z.string(),
    symbol: z.string(),
    epoch: count,
    quantity: decimal.meta({ description: "Signed: below zero is short." }),
    average_price: decimal,
    last_price: decimal.nullable().meta({
      description: "The market's, as this process has it; null: it has no fresh quote."
    }),
    priced_at: instant.nullable().meta({ description: "When that price held." }),
    realised_pnl: decimal,
    unrealised_pnl: decimal.nullable().meta({
      description: "At `last_price`, with the contract's multiplier; null: it is open and has no price."
    }),
    confirmed_quantity: decimal.nullable().meta({ description: "What the venue last reported." }),
    confirmed_at: instant.nullable(),
    disputed_at: instant
      .nullable()
      .meta({ description: "Since when the venue reports a different quantity." }),
    opened_at: instant.nullable(),
    closed_at: instant.nullable(),
    updated_at: instant,
    strategies: z.array(share)
  })
  .meta({ id: "Position" })

export const account = z
  .object({
    id: z.string(),
    venue: z.string(),
    starting_cash: decimal,
    enabled: z.boolean(),
    retired_at: instant.nullable().meta({
      description: "Since when no process executes it, because a reload removed it from the settings."
    }),
    owner: text.meta({ description: "The life of the process that executes it." }),
    fence: z.string(),
    lease_until: instant.nullable(),
    reconciled_at: instant.nullable(),
    created_at: instant,
    open_positions: count,
    cash: decimal.nullable().meta({ description: "As the venue had reported it then; null: unknown." }),
    buying_power: decimal.nullable().meta({ description: "What the venue allows new entries to use." }),
    balance_at: instant.nullable().meta({ description: "When the venue reported `buying_power`." }),
    realised_pnl: decimal.meta({ description: "Of now, by the fills." }),
    fees: decimal.meta({ description: "Of now, by the fills." }),
    unrealised_pnl: decimal.nullable(),
    equity: decimal.nullable().meta({
      description:
        "Starting cash plus realised less fees plus unrealised; null: an open position has no price, or nothing was sampled yet."
    }),
    day_pnl: decimal.nullable().meta({ description: "Since midnight of `risk.zone`, or the last resume." }),
    drawdown: decimal.nullable().meta({ description: "Below the high-water mark since the last resume." }),
    equity_at: instant.nullable().meta({
      description:
        "The minute of `cash`, `unrealised_pnl`, `equity`, `day_pnl` and `drawdown`; null with figures: it never traded."
    })
  })
  .meta({ id: "Account" })

export const equity = z
  .object({
    account: z.string(),
    at: instant,
    cash: decimal.nullable().meta({ description: "As the venue reported it; null: unknown." }),
    realised_pnl: decimal,
    fees: decimal,
    unrealised_pnl: decimal.nullable().meta({ description: "Null: an open position had no price." }),
    equity: decimal.nullable(),
    day_pnl: decimal.nullable(),
    drawdown: decimal.nullable()
  })
  .meta({ id: "Equity", description: "A row per minute while something is open or has changed." })

export const cashFlow = z
  .object({
    account: z.string(),
    amount: decimal,
    cash_before: decimal,
    cash_after: decimal,
    reason: z.string(),
    at: instant
  })
  .meta({ id: "CashFlow" })

const check = z
  .object({
    check: z.string(),
    ok: z.boolean(),
    code: text.optional(),
    numbers: anyObject.optional(),
    strategy: text.optional(),
    account: text.optional(),
    leg: count.nullable().optional()
  })
  .meta({ id: "Check" })

export const trace = z
  .object({
    signal: signal.extend({ answer: anyObject }).meta({ id: "SignalWithAnswer" }),
    enrichment: z
      .object({
        symbol: z.string(),
        bid: decimal.nullable(),
        ask: decimal.nullable(),
        last: decimal.nullable(),
        quoted_at: instant.nullable(),
        enriched_at: instant
      })
      .nullable()
      .meta({ description: "The quote it was decided on." }),
    metadata: z
      .object({
        snapshot_id: uuid,
        pair: z.string(),
        trigger: z.string(),
        buy_score: z.number(),
        sell_score: z.number(),
        order_id: text,
        side: side.nullable(),
        received_at: instant,
        linked_at: instant.nullable()
      })
      .nullable(),
    decision: z
      .object({
        engine: z.string(),
        experiment_id: z.string(),
        variant: z.string(),
        outcome: z.enum(["ordered", "denied", "held", "ignored"]),
        reason: text,
        checks: z.array(check),
        votes: z
          .array(
            z.object({
              agent: z.string(),
              vote: z.enum(VOTES),
              confidence: z.number(),
              reasons: z.array(z.string()),
              ms: z.number().meta({ description: "How long the agent took." })
            })
          )
          .meta({
            description:
              "What the agents of engine B said of the symbol, and the endpoint of engine C, by its name, of the signal; empty when nobody asked them."
          }),
        shadow: z
          .array(
            z.object({
              engine: z.enum(ENGINES),
              strategy: z.string(),
              account: z.string(),
              leg: z.int(),
              symbol: z.string(),
              side,
              quantity: decimal,
              intent: z.enum(["entry", "reduce"]),
              price: decimal.nullable(),
              would: z.enum(["order", "deny", "unknown"]),
              code: text,
              score: z.number().nullable()
            })
          )
          .nullable()
          .meta({
            description: "What the shadow engine would have done; null without one. None of it is sent."
          }),
        settings_version: text.meta({
          description:
            "Of the settings it was made under; null: made before versions were kept with decisions."
        }),
        decided_at: instant
      })
      .nullable(),
    facts: anyJson.meta({
      description:
        "Everything the decision was made from: signal, quotes, accounts with their books, figures, clock (T15). Null before a decision, and for one made before facts were kept."
    }),
    orders: z.array(order),
    exits: z.array(order).meta({
      description:
        "What closes, or is to close, what the signal opened: exits, closes of operators and of other signals."
    }),
    fills: z.array(fill).meta({ description: "Of its orders and its exits." }),
    links: z.array(
      z.object({
        trade_record_id: uuid,
        order_id: uuid.nullable(),
        signal_id: uuid.nullable(),
        strategy: z.string(),
        snapshot_id: uuid.nullable(),
        linked_by: z.enum(["client_order_id", "order_id", "window"]),
        opened_by: uuid
          .nullable()
          .meta({ description: "The signal that opened the share that the fill moved." }),
        linked_at: instant
      })
    ),
    times
  })
  .meta({ id: "Trace" })

export const linkage = z
  .object({
    ours: count,
    linked: count,
    rate: z.number().nullable().meta({ description: "linked / ours; null while none is ours." }),
    external: count,
    recent: z
      .object({
        ours: count,
        linked: count,
        rate: z.number().nullable(),
        metadata_expected: count.meta({
          description:
            "Fills of signals whose source comes with metadata, after the time in which it may still come."
        }),
        with_metadata: count,
        metadata_coverage: z.number().nullable()
      })
      .meta({
        description: "The same of the last 1,000 fills of our orders, which the alert `linkage.low` is about."
      })
  })
  .meta({ id: "Linkage" })
