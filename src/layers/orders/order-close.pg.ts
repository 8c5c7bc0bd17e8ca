/**
 * Closes that an operator asks for: of one position, or of a whole account.
 *
 * Such a close is a reduce like the one that an alert asks for, one for each strategy's share, so that its fills belong to
 * whom the shares belong to and a refused one is tried again by the exits' rules. It is stored as `intended`; what it may
 * be is decided when it leaves, by what is held and confirmed then, so a live exit of the same position is no obstacle and
 * two closes never add up to more than there is.
 *
 * Promises: all orders of one command are one transaction; a command that was given before under the same id finds its
 * orders and makes no others; a close of the same share that still waits, and wants as much, is named instead.
 * Never: sends; makes an order for a share that is flat.
 * Failure: errors of the SQL client pass through.
 */
import { BigDecimal, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { decimal, type Decimal, formatDecimal, zero } from "../../domain/kernel/decimal.ts"
import { closeClientOrderId, closeOrderId, positionId } from "../../domain/kernel/ids.ts"
import { OPEN } from "../../domain/orders/order.ts"
import { OPERATOR_CLOSE } from "../../domain/orders/permit.ts"
import type { Closed, CloseOrigin, CloseRequest, Flattened } from "./order-commands.port.ts"
import { cancelStep, stepLocked } from "./order-operate.pg.ts"
import { columnsOf } from "./order-row.pg.ts"
import type { StoredOrder } from "./orders-store.port.ts"

interface HeldPosition {
  readonly id: string
  readonly account: string
  readonly symbol: string
  readonly venue: string
  readonly quantity: string
}

interface Share {
  readonly strategy: string
  readonly quantity: string
}

/** What is to be closed of one share; `wanted` null: all that it is when the order leaves. */
interface Part {
  readonly strategy: string
  readonly held: Decimal
  readonly wanted: Decimal | null
  /** The entry whose fills it waits for; absent for what is held now. */
  readonly entryId?: string
}

/** Takes `quantity` from the shares, oldest first. */
export const partsOf = (shares: ReadonlyArray<Share>, quantity: string | null): ReadonlyArray<Part> => {
  let left = quantity === null ? null : decimal(quantity)
  const parts: Array<Part> = []
  for (const share of shares) {
    const held = BigDecimal.abs(decimal(share.quantity))
    if (left === null) parts.push({ strategy: share.strategy, held, wanted: null })
    else if (BigDecimal.isGreaterThan(left, zero)) {
      const wanted = BigDecimal.min(left, held)
      left = BigDecimal.subtract(left, wanted)
      parts.push({ strategy: share.strategy, held, wanted })
    }
  }
  return parts
}

const madeBy = (sql: SqlClient, commandId: string) =>
  sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders WHERE command_id = ${commandId}::uuid ORDER BY seq`

/** An operator's close of the share that was not sent yet and does at least what is wanted. */
const waitingClose = (sql: SqlClient, position: HeldPosition, { strategy, wanted }: Part) =>
  Effect.map(
    sql<StoredOrder>`
      SELECT ${columnsOf(sql)} FROM orders
      WHERE account = ${position.account} AND symbol = ${position.symbol} AND strategy = ${strategy}
        AND intent = 'reduce' AND exit_kind = ${OPERATOR_CLOSE} AND status IN ('intended', 'held')
        AND side = ${position.quantity.startsWith("-") ? "buy" : "sell"}
        AND (sizing = 'share' OR wanted >= ${wanted === null ? null : formatDecimal(wanted)}::numeric)
      ORDER BY seq LIMIT 1`,
    ([order]) => order
  )

const insertClose = (sql: SqlClient, origin: CloseOrigin, position: HeldPosition, part: Part) =>
  Effect.gen(function* () {
    const { entryId, strategy } = part
    const key = {
      commandId: origin.commandId,
      positionId: position.id,
      strategy,
      ...(entryId === undefined ? {} : { entryId })
    }
    const wanted = part.wanted === null ? null : formatDecimal(part.wanted)
    const [order] = yield* sql<StoredOrder>`
      INSERT INTO orders (id, client_order_id, account, strategy, intent, sizing, wanted, symbol, side, type, quantity,
        time_in_force, status, source, venue, exit_kind, command_id)
      VALUES (${closeOrderId(key)}, ${closeClientOrderId(key, 1)}, ${position.account}, ${part.strategy}, 'reduce',
        ${wanted === null ? "share" : "fixed"}, ${wanted}::numeric, ${position.symbol},
        ${position.quantity.startsWith("-") ? "buy" : "sell"}, 'market', ${wanted ?? formatDecimal(part.held)}::numeric,
        'day', 'intended', ${origin.source}, ${position.venue}, ${OPERATOR_CLOSE}, ${origin.commandId}::uuid)
      RETURNING ${columnsOf(sql)}`
    if (order === undefined) return []
    yield* sql`
      INSERT INTO order_events (order_id, event, from_status, to_status, detail)
      VALUES (${order.id}, 'order.intended', 'intended', 'intended',
        ${JSON.stringify({ by: "operator", commandId: origin.commandId })}::text::jsonb)`
    return [order]
  })

/** The closes of one locked position. */
const closeLocked = (sql: SqlClient, origin: CloseOrigin, position: HeldPosition, quantity: string | null) =>
  Effect.gen(function* () {
    const shares = yield* sql<Share>`
      SELECT strategy, trim_scale(quantity)::text AS quantity FROM position_shares
      WHERE position_id = ${position.id} AND quantity <> 0 ORDER BY opened_seq, strategy`
    const orders: Array<StoredOrder> = []
    for (const part of partsOf(shares, quantity)) {
      const waiting = yield* waitingClose(sql, position, part)
      if (waiting === undefined) orders.push(...(yield* insertClose(sql, origin, position, part)))
      else orders.push(waiting)
    }
    return orders
  })

export const closeIn = (sql: SqlClient, request: CloseRequest) =>
  Effect.gen(function* () {
    const [position] = yield* sql<HeldPosition>`
      SELECT p.id, p.account, p.symbol, a.venue, trim_scale(p.quantity)::text AS quantity
      FROM positions p JOIN accounts a ON a.id = p.account WHERE p.id = ${request.positionId}::uuid FOR UPDATE OF p`
    if (position === undefined) return { _tag: "Missing" } satisfies Closed
    const { account } = position
    const before = yield* madeBy(sql, request.commandId)
    if (before.length > 0) return { _tag: "Closing", account, orders: before } satisfies Closed
    if (position.quantity === "0") return { _tag: "Flat" } satisfies Closed
    const orders = yield* closeLocked(sql, request, position, request.quantity)
    return { _tag: "Closing", account, orders } satisfies Closed
  })

const openEntries = (sql: SqlClient, account: string) =>
  sql.and([sql`account = ${account}`, sql`intent = 'entry'`, sql.in("status", [...OPEN])])

/** Entries that are not over: taken back or cancelled, and those that nobody can cancel now. */
const cancelEntries = (sql: SqlClient, account: string, reason: string) =>
  Effect.gen(function* () {
    const entries = yield* sql<StoredOrder>`
      SELECT ${columnsOf(sql)} FROM orders WHERE ${openEntries(sql, account)} ORDER BY seq FOR UPDATE`
    const orders: Array<StoredOrder> = []
    const unresolved: Array<string> = []
    for (const order of entries) {
      const event = cancelStep(order.status)
      if (event === "refused") unresolved.push(order.id)
      else orders.push(event === "done" ? order : yield* stepLocked(sql, order, event, { reason }))
    }
    return { orders, unresolved }
  })

/**
 * The close of what an entry may still bring: it was sent, and a cancel is a wish. The close waits for the entry's end
 * (`opening_works`) and is withdrawn when nothing came of it.
 */
const closeAfter = (sql: SqlClient, origin: CloseOrigin, entry: StoredOrder) => {
  const { account, id, quantity, side, strategy, symbol, venue } = entry
  // The sign that its fills would give a flat position.
  const position = {
    id: positionId(account, symbol),
    account,
    symbol,
    venue,
    quantity: side === "buy" ? quantity : `-${quantity}`
  }
  return insertClose(sql, origin, position, { strategy, held: decimal(quantity), wanted: null, entryId: id })
}

export const flattenIn = (sql: SqlClient, account: string, origin: CloseOrigin, reason: string) =>
  Effect.gen(function* () {
    const [known] = yield* sql`SELECT id FROM accounts WHERE id = ${account}`
    if (known === undefined) return { _tag: "Missing" } as const
    // Before the locks: one that fills until they are held has its position there, or its own close below.
    const begun =
      yield* sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders WHERE ${openEntries(sql, account)} ORDER BY seq`
    // In one order for everybody, as a confirmation locks them.
    const positions = yield* sql<HeldPosition>`
      SELECT p.id, p.account, p.symbol, a.venue, trim_scale(p.quantity)::text AS quantity
      FROM positions p JOIN accounts a ON a.id = p.account
      WHERE p.account = ${account} ORDER BY p.id FOR UPDATE OF p`
    const { orders, unresolved } = yield* cancelEntries(sql, account, reason)
    const before = yield* madeBy(sql, origin.commandId)
    const closes: Array<StoredOrder> = [...before]
    const back = new Set(orders.filter(({ status }) => status === "withdrawn").map(({ id }) => id))
    if (before.length === 0) {
      for (const position of positions)
        if (position.quantity !== "0") closes.push(...(yield* closeLocked(sql, origin, position, null)))
      for (const entry of begun)
        if (!back.has(entry.id)) closes.push(...(yield* closeAfter(sql, origin, entry)))
    }
    return { _tag: "Flattened", orders: [...closes, ...orders], unresolved } satisfies Flattened
  })
