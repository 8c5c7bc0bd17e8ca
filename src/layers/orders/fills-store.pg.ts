/**
 * Fills store on PostgreSQL: one fill, one transaction.
 *
 * The position's row is locked first, which puts all fills of one account and symbol in line; then the order's. Every
 * transaction that takes both takes them in this order, so fills never deadlock with exits. The insert of the trade
 * decides whether this delivery is the first: the venue's key is unique, a second one changes nothing.
 *
 * Promises: trade, order, position, link and the alert about a trade that is not ours are committed together, under the settings of one moment: a reload in the
 * middle of a transaction is seen by the next one; a duplicate commits nothing.
 * Never: looks at a fence, or leaves a fill out because its order is in the wrong state.
 * Failure: `DatabaseUnavailable`; the transaction is idempotent, so it is retried after contention and after a
 * commit whose answer was lost. A fault is a bug and dies.
 */
import { FAULT_POINTS, faultPoint } from "../platform/fault-point.ts"
import { BigDecimal, Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { decimal, type Decimal, divideRounded, formatDecimal } from "../../domain/kernel/decimal.ts"
import { type Fill, fillOrder } from "../../domain/orders/fill.ts"
import { positionId, tradeRecordId } from "../../domain/kernel/ids.ts"
import {
  nextStatus,
  type OrderEvent,
  type OrderStatus,
  surpriseOf,
  TERMINAL
} from "../../domain/orders/order.ts"
import { instrumentsOf, multiplierOf } from "../../domain/kernel/instruments.ts"
import { applyFill, type PositionStep } from "../../domain/orders/position.ts"
import { EXTERNAL } from "../../domain/kernel/settings.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { VenueFill } from "../../domain/orders/fill.ts"
import { Config, snapshotOf } from "../platform/config.port.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import { Database, type DatabaseService } from "../database/database.port.ts"
import {
  type FillOutcome,
  FillsStore,
  type FillsStoreService,
  isAlerted,
  type LinkedBy,
  type PositionAfter,
  type RecordedFill,
  type StoredTrade
} from "./fills-store.port.ts"
import { adoptIn } from "./position-adopt.pg.ts"
import { linkMetadataForOrder } from "./metadata-link.pg.ts"
import { columnsOf, settledWith } from "./order-row.pg.ts"
import { moveShares } from "./position-shares.pg.ts"
import type { StoredOrder } from "./orders-store.port.ts"

interface StoredPosition {
  readonly quantity: string
  readonly average_price: string
  readonly realised_pnl: string
  readonly epoch: number
  readonly exits: number
  readonly version: number
}

/** The order a trade belongs to, and by which of its ids it was found. */
interface Owner {
  readonly order: StoredOrder
  readonly linkedBy: Exclude<LinkedBy, "none">
}

/** What the fill does to its order: the event, the status after it, and whether the table allows it. */
interface OrderStep {
  readonly event: OrderEvent
  readonly from: OrderStatus
  readonly to: OrderStatus
  readonly legal: boolean
  readonly filledQuantity: string
  readonly averagePrice: string
}

const fillOf = (fill: VenueFill): Fill => ({
  side: fill.side,
  quantity: decimal(fill.quantity),
  price: decimal(fill.price),
  fee: decimal(fill.fee)
})

const lockPosition = (sql: SqlClient, id: string, fill: VenueFill) =>
  Effect.gen(function* () {
    const locked = sql<StoredPosition>`
      SELECT quantity, average_price, realised_pnl, epoch, exits, version FROM positions WHERE id = ${id} FOR UPDATE`
    const [known] = yield* locked
    if (known !== undefined) return known
    // Without a target: two first fills at once collide on the primary key too, which a named target would not cover.
    yield* sql`
      INSERT INTO positions (id, account, symbol, epoch) VALUES (${id}, ${fill.account}, ${fill.symbol}, 0)
      ON CONFLICT DO NOTHING`
    const [row] = yield* locked
    if (row === undefined)
      return yield* Effect.die(new Error(`the position ${id} has another id in the table`))
    return row
  })

/**
 * Ours by the client order id; by the venue's id only where a fill carries no client order id at all, and only for what it
 * trades: a venue that was reset reuses its ids.
 */
const lockOwner = (sql: SqlClient, venue: string, fill: VenueFill) =>
  Effect.gen(function* () {
    const byClient = fill.clientOrderId !== null
    const [order] = byClient
      ? yield* sql<StoredOrder>`
          SELECT ${columnsOf(sql)} FROM orders
          WHERE client_order_id = ${fill.clientOrderId} AND account = ${fill.account} FOR UPDATE`
      : yield* sql<StoredOrder>`
          SELECT ${columnsOf(sql)} FROM orders
          WHERE venue_order_id = ${fill.venueOrderId} AND venue = ${venue} AND account = ${fill.account}
            AND symbol = ${fill.symbol} AND side = ${fill.side} FOR UPDATE`
    if (order === undefined) return null
    return { order, linkedBy: byClient ? "client_order_id" : "order_id" } satisfies Owner
  })

interface Trade {
  readonly id: string
  readonly venue: string
  readonly positionId: string
  readonly orderId: string | null
  readonly source: string
  readonly realisedPnl: Decimal
}

/** The position after the fill. */
const movedBy = (sql: SqlClient, { change, position }: PositionStep, { at, fee }: VenueFill) => {
  const opens = change === "opened" || change === "flipped"
  const flat = BigDecimal.isZero(position.quantity)
  return sql`
    quantity = ${formatDecimal(position.quantity)}::numeric,
    average_price = ${formatDecimal(position.averagePrice)}::numeric,
    realised_pnl = ${formatDecimal(position.realisedPnl)}::numeric,
    fees = fees + ${fee}::numeric,
    epoch = ${position.epoch}::int, exits = ${position.exits}::int,
    opened_at = CASE WHEN ${opens}::boolean THEN ${at}::timestamptz ELSE opened_at END,
    closed_at = CASE WHEN ${flat}::boolean THEN ${at}::timestamptz WHEN ${opens}::boolean THEN NULL
      ELSE closed_at END,
    version = version + 1, updated_at = hf_clock()`
}

/**
 * Stores the trade, moves its position, and returns what all trades of its order add up to, this one included; null when it was
 * stored before, also when retention has removed it since: nothing moves then. Summed afresh each time: the sum does not depend on the order in which fills came, where an average carried
 * along is rounded at every step. The sum does not see the row of its own statement, so that is added; the order is
 * locked, so nobody else adds one meanwhile.
 */
const insertTrade = (sql: SqlClient, trade: Trade, step: PositionStep, fill: VenueFill) =>
  Effect.map(
    sql<{ readonly quantity: string; readonly notional: string }>`
      WITH inserted AS (
        INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, client_order_id, order_id,
          position_id, side, quantity, price, fee, realised_pnl, source, order_time)
        SELECT ${trade.id}::uuid, ${trade.venue}::text, ${fill.account}::text, ${fill.symbol}::text, ${fill.venueOrderId}::text,
          ${fill.tradeId}::text, ${fill.clientOrderId}::text, ${trade.orderId}::uuid, ${trade.positionId}::uuid,
          ${fill.side}::text, ${fill.quantity}::numeric, ${fill.price}::numeric, ${fill.fee}::numeric,
          ${formatDecimal(trade.realisedPnl)}::numeric, ${trade.source}::text, ${fill.at}::timestamptz
        WHERE NOT EXISTS (SELECT FROM pruned_fills g WHERE g.id = ${trade.id}::uuid)
        ON CONFLICT DO NOTHING RETURNING quantity, price
      ), moved AS (
        UPDATE positions SET ${movedBy(sql, step, fill)}
        WHERE id = ${trade.positionId}::uuid AND EXISTS (SELECT FROM inserted)
      )
      SELECT i.quantity + coalesce(sum(t.quantity), 0) AS quantity,
        i.quantity * i.price + coalesce(sum(t.quantity * t.price), 0) AS notional
      FROM inserted i LEFT JOIN trade_records t ON t.order_id = ${trade.orderId}::uuid
      GROUP BY i.quantity, i.price`,
    ([row]) =>
      row === undefined ? null : { quantity: decimal(row.quantity), notional: decimal(row.notional) }
  )

type KnownTrade = StoredTrade & { readonly id: string }

const storedTrades = (sql: SqlClient, ids: ReadonlyArray<string>) =>
  sql<KnownTrade>`
    SELECT id, side, trim_scale(quantity) AS quantity, trim_scale(price) AS price, client_order_id AS "clientOrderId"
    FROM trade_records WHERE id = ANY(${ids}::uuid[])`

/** Trades that were stored and that retention has removed since (T13). */
const prunedTrades = (sql: SqlClient, ids: ReadonlyArray<string>) =>
  Effect.map(
    sql<{ readonly id: string }>`SELECT id FROM pruned_fills WHERE id = ANY(${ids}::uuid[])`,
    (rows) => new Set(rows.map(({ id }) => id))
  )

/** Whether a trade is stored as reported. A venue that omits the client order id from one report contradicts nothing. */
const isSame = (stored: KnownTrade | undefined, fill: VenueFill): boolean =>
  stored !== undefined &&
  stored.side === fill.side &&
  BigDecimal.equals(decimal(stored.quantity), decimal(fill.quantity)) &&
  BigDecimal.equals(decimal(stored.price), decimal(fill.price)) &&
  (stored.clientOrderId === fill.clientOrderId ||
    stored.clientOrderId === null ||
    fill.clientOrderId === null)

const orderStep = (
  order: StoredOrder,
  fill: Fill,
  trades: { readonly quantity: Decimal; readonly notional: Decimal }
): OrderStep => {
  const before = { filledQuantity: BigDecimal.subtract(trades.quantity, fill.quantity), averagePrice: null }
  const { event } = fillOrder(decimal(order.quantity), before, fill)
  const next = nextStatus(order.status, event)
  return {
    event,
    from: order.status,
    to: Result.isSuccess(next) ? next.success : order.status,
    legal: Result.isSuccess(next),
    filledQuantity: formatDecimal(trades.quantity),
    averagePrice: formatDecimal(divideRounded(trades.notional, trades.quantity))
  }
}

/** What the fill moved: who opened it, and the opening of the strategy's own share. */
interface Opening {
  readonly openedBy: string | null
  readonly openedSeq: bigint | null
  /** How much of it the fill added to that share. */
  readonly opened: Decimal
}

/**
 * Moves the order, logs the step and links the trade to the order's strategy, in one statement. A filled order is complete by
 * definition, and settles with the fill that fills it; how much of a cancelled one the venue filled is found by a look-up.
 */
const moveOrder = (
  sql: SqlClient,
  { order, linkedBy }: Owner,
  step: OrderStep,
  trade: Trade,
  { opened, openedBy, openedSeq }: Opening,
  fill: VenueFill
) =>
  Effect.map(
    sql<StoredOrder>`
      WITH moved AS (
        UPDATE orders SET status = ${step.to}, filled_quantity = ${step.filledQuantity}::numeric,
          average_price = ${step.averagePrice}::numeric, reason = CASE WHEN status = ${step.to} THEN reason END,
          venue_order_id = coalesce(venue_order_id, ${fill.venueOrderId}), settle_due = NULL,
          opened_seq = coalesce(${openedSeq === null ? null : String(openedSeq)}::bigint, opened_seq),
          opened_quantity = opened_quantity + ${formatDecimal(opened)}::numeric,
          settled_at = CASE WHEN ${step.to === "filled"}::boolean AND settled_at IS NULL
            AND ${settledWith(sql, step.filledQuantity, trade.id)} THEN hf_clock() ELSE settled_at END,
          partial = CASE WHEN partial IS NOT NULL AND ${TERMINAL.has(step.from)}::boolean THEN 'due' END,
          updated_at = hf_clock()
        WHERE id = ${order.id}
        RETURNING *
      ), logged AS (
        INSERT INTO order_events (order_id, event, from_status, to_status, legal, fence, detail)
        SELECT id, ${step.event}, ${step.from}, ${step.to}, ${step.legal}::boolean, fence,
          ${JSON.stringify({ tradeId: fill.tradeId, quantity: fill.quantity, price: fill.price })}::text::jsonb
        FROM moved
      ), linked AS (
        INSERT INTO trade_strategy_link (trade_record_id, order_id, signal_id, strategy, linked_by, opened_by)
        SELECT ${trade.id}::uuid, id, signal_id, strategy, ${linkedBy}, ${openedBy}::uuid FROM moved
      )
      SELECT ${columnsOf(sql)} FROM moved`,
    ([moved]) => moved ?? order
  )

/** What a fill did to its position, and the position after it. */
const changeOf = ({ change, position: { averagePrice, quantity, realisedPnl } }: PositionStep) => {
  const position: PositionAfter = {
    quantity: formatDecimal(quantity),
    averagePrice: formatDecimal(averagePrice),
    realisedPnl: formatDecimal(realisedPnl)
  }
  return { change, position }
}

const causeOf = (owner: Owner | null, trade: string) =>
  owner === null
    ? { strategy: EXTERNAL, cause: trade, signalId: null }
    : { strategy: owner.order.strategy, cause: owner.order.id, signalId: owner.order.signalId }

const judgementOf = ({ event, from, legal }: OrderStep) => ({
  from,
  illegal: legal ? null : { status: from, event },
  surprise: legal ? surpriseOf(from, event) : null
})

/** A trade that an operator infers takes nobody's metadata. */
const noMetadata = Effect.succeed({ _tag: "NoMetadata", why: "the quantity was adopted" } as const)

const recordIn = (sql: SqlClient, inForce: Settings, venue: string, fill: VenueFill, isAdopted = false) =>
  Effect.gen(function* () {
    const settings = snapshotOf(inForce)
    const position = positionId(fill.account, fill.symbol)
    const trade = tradeRecordId({ venue, ...fill })
    const held = yield* lockPosition(sql, position, fill)
    const owner = yield* lockOwner(sql, venue, fill)
    const units = multiplierOf(instrumentsOf(settings), fill.symbol)
    const moved = applyFill(
      {
        quantity: decimal(held.quantity),
        averagePrice: decimal(held.average_price),
        realisedPnl: decimal(held.realised_pnl),
        epoch: held.epoch,
        exits: held.exits
      },
      fillOf(fill),
      units
    )
    const source = owner === null ? "external" : owner.order.source
    const stored: Trade = {
      id: trade,
      venue,
      positionId: position,
      orderId: owner === null ? null : owner.order.id,
      source,
      realisedPnl: moved.realisedPnl
    }
    const trades = yield* insertTrade(sql, stored, moved, fill)
    if (trades === null) {
      const [known] = yield* storedTrades(sql, [trade])
      if (known === undefined || isSame(known, fill))
        return { _tag: "AlreadyKnown", tradeRecordId: trade } satisfies FillOutcome
      const { id, ...stored } = known
      return { _tag: "Contradicts", tradeRecordId: id, stored } satisfies FillOutcome
    }
    faultPoint(FAULT_POINTS.fillInTransaction, fill.symbol)
    const { account, symbol } = fill
    const causedBy = causeOf(owner, trade)
    const place = { positionId: position, version: held.version, account, symbol, units, ...causedBy }
    const opening = yield* moveShares(sql, settings, place, fillOf(fill))
    const facts = { tradeRecordId: trade, positionId: position, ...changeOf(moved), source } as const
    const toLink = { ...fill, tradeRecordId: trade, venue, orderTime: fill.at }
    if (owner === null) {
      const none = {
        order: null,
        from: null,
        linkedBy: "none",
        illegal: null,
        surprise: null,
        settled: false
      } as const
      const metadata = yield* isAdopted ? noMetadata : linkMetadataForOrder(sql, toLink)
      return { _tag: "Recorded", ...facts, ...none, metadata } satisfies RecordedFill
    }
    const step = orderStep(owner.order, fillOf(fill), trades)
    const order = yield* moveOrder(sql, owner, step, stored, opening, fill)
    const metadata = yield* linkMetadataForOrder(sql, toLink)
    return {
      _tag: "Recorded",
      ...facts,
      order,
      linkedBy: owner.linkedBy,
      metadata,
      ...judgementOf(step),
      settled: owner.order.settledAt === null && order.settledAt !== null
    } satisfies RecordedFill
  })

const make = (database: DatabaseService, settings: Settings): FillsStoreService => ({
  adopt: (given) =>
    database
      .transact(
        "fills.adopt",
        (sql) =>
          adoptIn(sql, given, (venue, fill) =>
            Effect.map(recordIn(sql, settings, venue, fill, true), (outcome) =>
              outcome._tag === "Recorded" ? outcome.position : null
            )
          ),
        { retry: "idempotent" }
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
  record: (venue, fill, alertOf) =>
    database
      .transact(
        "fills.record",
        (sql) =>
          Effect.tap(recordIn(sql, settings, venue, fill), (outcome) =>
            alertOf !== undefined && isAlerted(outcome) ? storeAlertsIn(sql, [alertOf(outcome)]) : Effect.void
          ),
        { retry: "idempotent" }
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
  missing: (venue, fills) =>
    fills.length === 0
      ? Effect.succeed([])
      : database
          .run("fills.missing", (sql) => {
            const ids = fills.map((fill) => tradeRecordId({ venue, ...fill }))
            // In this order: what is removed in between is found by the second.
            return Effect.flatMap(storedTrades(sql, ids), (rows) =>
              Effect.map(prunedTrades(sql, ids), (pruned) => ({ rows, pruned }))
            )
          })
          .pipe(
            Effect.map(({ pruned, rows }) => {
              const stored = new Map(rows.map((row) => [row.id, row]))
              return fills.filter((fill) => {
                const id = tradeRecordId({ venue, ...fill })
                return !pruned.has(id) && !isSame(stored.get(id), fill)
              })
            }),
            Effect.catchTag("DatabaseFault", Effect.die)
          ),
  cursor: (account) =>
    database
      .run(
        "fills.cursor",
        (sql) => sql<{ readonly cursor: string | null }>`
          SELECT fills_cursor AS cursor FROM accounts WHERE id = ${account}`
      )
      .pipe(
        Effect.map(([row]) => row?.cursor ?? null),
        Effect.catchTag("DatabaseFault", Effect.die)
      ),
  advance: (account, cursor) =>
    database
      .run(
        "fills.advance",
        (sql) => sql`
          UPDATE accounts SET fills_cursor = ${cursor}
          WHERE id = ${account} AND fills_cursor IS DISTINCT FROM ${cursor}`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die))
})

export const fillsStorePg: Layer.Layer<FillsStore, never, Config | Database> = Layer.effect(
  FillsStore,
  Effect.gen(function* () {
    const database = yield* Database
    const settings = yield* Config
    return FillsStore.of(make(database, settings))
  })
)
