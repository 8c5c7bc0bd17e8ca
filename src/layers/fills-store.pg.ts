/**
 * Fills store on PostgreSQL: one fill, one transaction.
 *
 * The position's row is locked first, which puts all fills of one account and symbol in line; then the order's. Every
 * transaction that takes both takes them in this order, so fills never deadlock with exits. The insert of the trade
 * decides whether this delivery is the first: the venue's key is unique, a second one changes nothing.
 *
 * Promises: trade, order, position and link are committed together; a duplicate commits nothing.
 * Never: looks at a fence, or leaves a fill out because its order is in the wrong state.
 * Failure: `DatabaseUnavailable`; the transaction is idempotent, so it is tried again after contention and after a
 * commit whose answer was lost. A fault is a bug and dies.
 */
import { BigDecimal, Effect, Layer, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { decimal, type Decimal, divideRounded, formatDecimal } from "../domain/decimal.ts"
import { type Fill, fillOrder } from "../domain/fill.ts"
import { positionId, tradeRecordId } from "../domain/ids.ts"
import { nextStatus, type OrderEvent, type OrderStatus, surpriseOf } from "../domain/order.ts"
import { applyFill, type PositionStep } from "../domain/position.ts"
import { exitPricesOf, noExitPrices, type ProtectionTerms } from "../domain/protection.ts"
import type { Settings } from "../domain/settings.ts"
import type { VenueFill } from "./broker.ts"
import { Config } from "./config.ts"
import { Database, type DatabaseService } from "./database.ts"
import {
  type FillOutcome,
  FillsStore,
  type FillsStoreService,
  type LinkedBy,
  type RecordedFill
} from "./fills-store.ts"
import { linkMetadataForOrder } from "./metadata-link.pg.ts"
import { columnsOf, settledWhen } from "./order-row.pg.ts"
import type { StoredOrder } from "./orders-store.ts"

interface StoredPosition {
  readonly quantity: string
  readonly average_price: string
  readonly realised_pnl: string
  readonly epoch: number
  readonly exits: number
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
    // Without a target: two first fills at once collide on the primary key too, which a named target would not cover.
    yield* sql`
      INSERT INTO positions (id, account, symbol, epoch) VALUES (${id}, ${fill.account}, ${fill.symbol}, 0)
      ON CONFLICT DO NOTHING`
    const [row] = yield* sql<StoredPosition>`
      SELECT quantity, average_price, realised_pnl, epoch, exits FROM positions WHERE id = ${id} FOR UPDATE`
    if (row === undefined)
      return yield* Effect.die(new Error(`the position ${id} has another id in the table`))
    return row
  })

/** Ours by the client order id; by the venue's id only where a fill carries no client order id at all. */
const lockOwner = (sql: SqlClient, venue: string, fill: VenueFill) =>
  Effect.gen(function* () {
    const byClient = fill.clientOrderId !== null
    const [order] = byClient
      ? yield* sql<StoredOrder>`
          SELECT ${columnsOf(sql)} FROM orders
          WHERE client_order_id = ${fill.clientOrderId} AND account = ${fill.account} FOR UPDATE`
      : yield* sql<StoredOrder>`
          SELECT ${columnsOf(sql)} FROM orders
          WHERE venue_order_id = ${fill.venueOrderId} AND venue = ${venue} AND account = ${fill.account} FOR UPDATE`
    if (order === undefined) return null
    return { order, linkedBy: byClient ? "client_order_id" : "order_id" } satisfies Owner
  })

/**
 * What all trades of the order add up to, this one included. Summed anew each time: the sum does not depend on the
 * order in which fills came, where an average carried along is rounded at every step.
 */
const tradesOf = (sql: SqlClient, orderId: string) =>
  Effect.map(
    sql<{ readonly quantity: string; readonly notional: string }>`
      SELECT sum(quantity) AS quantity, sum(quantity * price) AS notional
      FROM trade_records WHERE order_id = ${orderId}`,
    ([row]) => ({ quantity: decimal(row?.quantity ?? "0"), notional: decimal(row?.notional ?? "0") })
  )

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

const moveOrder = (sql: SqlClient, order: StoredOrder, step: OrderStep, fill: VenueFill) =>
  Effect.gen(function* () {
    const [moved] = yield* sql<StoredOrder>`
      UPDATE orders SET status = ${step.to}, filled_quantity = ${step.filledQuantity}::numeric,
        average_price = ${step.averagePrice}::numeric,
        venue_order_id = coalesce(venue_order_id, ${fill.venueOrderId}), updated_at = clock_timestamp()
      WHERE id = ${order.id}
      RETURNING ${columnsOf(sql)}`
    yield* sql`
      INSERT INTO order_events (order_id, event, from_status, to_status, legal, fence, detail)
      VALUES (${order.id}, ${step.event}, ${step.from}, ${step.to}, ${step.legal}, ${order.fence},
        ${JSON.stringify({ tradeId: fill.tradeId, quantity: fill.quantity, price: fill.price })}::text::jsonb)`
    return moved ?? order
  })

const termsOf = (settings: Settings, order: StoredOrder | null): ProtectionTerms => {
  const strategy = order === null ? undefined : settings.strategies[order.strategy]
  const pct = (text: string | null | undefined): Decimal | null =>
    text === null || text === undefined ? null : decimal(text)
  return { stopLossPct: pct(strategy?.stopLossPct), profitTargetPct: pct(strategy?.profitTargetPct) }
}

/** Writes the position after the fill; opening sets its exit prices, closing forgets them. */
const movePosition = (sql: SqlClient, id: string, step: PositionStep, terms: ProtectionTerms, at: Date) => {
  const { position, change } = step
  const opens = change === "opened" || change === "flipped"
  const flat = BigDecimal.isZero(position.quantity)
  const prices = opens ? exitPricesOf(position.quantity, position.averagePrice, terms) : noExitPrices
  const text = (price: Decimal | null): string | null => (price === null ? null : formatDecimal(price))
  return sql`
    UPDATE positions SET
      quantity = ${formatDecimal(position.quantity)}::numeric,
      average_price = ${formatDecimal(position.averagePrice)}::numeric,
      realised_pnl = ${formatDecimal(position.realisedPnl)}::numeric,
      epoch = ${position.epoch}, exits = ${position.exits},
      stop_price = CASE WHEN ${opens || flat}::boolean THEN ${text(prices.stopPrice)}::numeric ELSE stop_price END,
      target_price = CASE WHEN ${opens || flat}::boolean THEN ${text(prices.targetPrice)}::numeric
        ELSE target_price END,
      opened_at = CASE WHEN ${opens}::boolean THEN ${at}::timestamptz ELSE opened_at END,
      closed_at = CASE WHEN ${flat}::boolean THEN ${at}::timestamptz WHEN ${opens}::boolean THEN NULL
        ELSE closed_at END,
      version = version + 1, updated_at = clock_timestamp()
    WHERE id = ${id}`
}

/** A filled order is complete by definition; how much of a cancelled one the venue filled is told by a look-up. */
const settleFilled = (sql: SqlClient, order: StoredOrder) =>
  order.status !== "filled"
    ? Effect.succeed(false)
    : Effect.map(
        sql`UPDATE orders SET settled_at = clock_timestamp()
          WHERE id = ${order.id} AND settled_at IS NULL AND ${settledWhen(sql, order.quantity)} RETURNING id`,
        (rows) => rows.length === 1
      )

const recordIn = (sql: SqlClient, settings: Settings, venue: string, fill: VenueFill) =>
  Effect.gen(function* () {
    const position = positionId(fill.account, fill.symbol)
    const trade = tradeRecordId({ venue, ...fill })
    const held = yield* lockPosition(sql, position, fill)
    const owner = yield* lockOwner(sql, venue, fill)
    const moved = applyFill(
      {
        quantity: decimal(held.quantity),
        averagePrice: decimal(held.average_price),
        realisedPnl: decimal(held.realised_pnl),
        epoch: held.epoch,
        exits: held.exits
      },
      fillOf(fill)
    )
    const source = owner === null ? "external" : owner.order.source
    const inserted = yield* sql`
      INSERT INTO trade_records (id, venue, account, symbol, venue_order_id, trade_id, client_order_id, order_id,
        position_id, side, quantity, price, fee, realised_pnl, source, order_time)
      VALUES (${trade}, ${venue}, ${fill.account}, ${fill.symbol}, ${fill.venueOrderId}, ${fill.tradeId},
        ${fill.clientOrderId}, ${owner === null ? null : owner.order.id}, ${position}, ${fill.side},
        ${fill.quantity}::numeric, ${fill.price}::numeric, ${fill.fee}::numeric,
        ${formatDecimal(moved.realisedPnl)}::numeric, ${source}, ${fill.at})
      ON CONFLICT DO NOTHING RETURNING id`
    if (inserted.length === 0) return { _tag: "AlreadyKnown", tradeRecordId: trade } satisfies FillOutcome
    yield* movePosition(sql, position, moved, termsOf(settings, owner === null ? null : owner.order), fill.at)
    const facts = { tradeRecordId: trade, positionId: position, change: moved.change, source } as const
    const toLink = { ...fill, tradeRecordId: trade, venue, orderTime: fill.at }
    if (owner === null) {
      const none = { order: null, linkedBy: "none", illegal: null, surprise: null, settled: false } as const
      const metadata = yield* linkMetadataForOrder(sql, toLink)
      return { _tag: "Recorded", ...facts, ...none, metadata } satisfies RecordedFill
    }
    const trades = yield* tradesOf(sql, owner.order.id)
    const step = orderStep(owner.order, fillOf(fill), trades)
    const order = yield* moveOrder(sql, owner.order, step, fill)
    yield* sql`
      INSERT INTO trade_strategy_link (trade_record_id, order_id, signal_id, strategy, linked_by)
      VALUES (${trade}, ${order.id}, ${order.signalId}, ${order.strategy}, ${owner.linkedBy})`
    const metadata = yield* linkMetadataForOrder(sql, toLink)
    return {
      _tag: "Recorded",
      ...facts,
      order,
      linkedBy: owner.linkedBy,
      metadata,
      illegal: step.legal ? null : { status: step.from, event: step.event },
      surprise: step.legal ? surpriseOf(step.from, step.event) : null,
      settled: yield* settleFilled(sql, order)
    } satisfies RecordedFill
  })

const make = (database: DatabaseService, settings: Settings): FillsStoreService => ({
  record: (venue, fill) =>
    database
      .transact("fills.record", (sql) => recordIn(sql, settings, venue, fill), { retry: "idempotent" })
      .pipe(Effect.catchTag("DatabaseFault", Effect.die)),
  missing: (venue, fills) =>
    fills.length === 0
      ? Effect.succeed([])
      : database
          .run(
            "fills.missing",
            (sql) => sql<{ readonly id: string }>`
              SELECT id FROM trade_records WHERE id = ANY(${fills.map((fill) => tradeRecordId({ venue, ...fill }))}::uuid[])`
          )
          .pipe(
            Effect.map((rows) => {
              const stored = new Set(rows.map(({ id }) => id))
              return fills.filter((fill) => !stored.has(tradeRecordId({ venue, ...fill })))
            }),
            Effect.catchTag("DatabaseFault", Effect.die)
          ),
  cursor: (account) =>
    database
      .run(
        "fills.cursor",
        (sql) => sql<{ readonly sequence: string | null }>`
          SELECT fills_sequence AS sequence FROM accounts WHERE id = ${account}`
      )
      .pipe(
        Effect.map(([row]) => row?.sequence ?? null),
        Effect.catchTag("DatabaseFault", Effect.die)
      ),
  advance: (account, sequence) =>
    database
      .run(
        "fills.advance",
        (sql) => sql`
          UPDATE accounts SET fills_sequence = ${sequence}::numeric
          WHERE id = ${account} AND (fills_sequence IS NULL OR fills_sequence < ${sequence}::numeric)`
      )
      .pipe(Effect.asVoid, Effect.catchTag("DatabaseFault", Effect.die)),
  rewind: (account) =>
    database
      .run("fills.rewind", (sql) => sql`UPDATE accounts SET fills_sequence = NULL WHERE id = ${account}`)
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
