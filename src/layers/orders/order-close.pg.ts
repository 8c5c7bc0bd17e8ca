/**
 * Closes that an operator asks for: of one position, or of a whole account.
 *
 * Such a close is a reduce like the one that an alert asks for, one for each strategy's share, so that its fills belong to
 * whom the shares belong to and a refused one is tried again by the exits' rules. It is stored as `intended`; what it may
 * be is decided when it leaves, by what is held and confirmed then, so a live exit of the same position is no obstacle and
 * two closes never add up to more than there is.
 *
 * Promises: all orders of one command are one transaction; a command that was given before under the same id finds its
 * orders and makes no others; a close of the same share that still waits, and wants as much, is named instead, and remembered
 * as the command's own: when that close has traded, the same command finds it and closes nothing more.
 * Never: sends; makes an order for a share that is flat; runs a statement for each order or position of an account, of which
 * there may be thousands under the deadline of one call.
 * Failure: errors of the SQL client pass through.
 */
import { BigDecimal, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { decimal, type Decimal, formatDecimal, zero } from "../../domain/kernel/decimal.ts"
import { closeClientOrderId, closeOrderId, positionId } from "../../domain/kernel/ids.ts"
import { FIRST_EVENT, OPEN } from "../../domain/orders/order.ts"
import { OPERATOR_CLOSE } from "../../domain/orders/permit.ts"
import type { Closed, CloseOrigin, CloseRequest, Flattened } from "./order-commands.port.ts"
import { cancelStep, stepAllLocked } from "./order-operate.pg.ts"
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
  /** The signal that opened it. */
  readonly openedBy: string | null
}

/** What is to be closed of one share; `wanted` null: all that it is when the order leaves. */
interface Part {
  readonly strategy: string
  readonly held: Decimal
  readonly wanted: Decimal | null
  readonly openedBy: string | null
  /** The entry whose fills it waits for; absent for what is held now. */
  readonly entryId?: string
}

/** Takes `quantity` from the shares, oldest first. */
export const partsOf = (shares: ReadonlyArray<Share>, quantity: string | null): ReadonlyArray<Part> => {
  let left = quantity === null ? null : decimal(quantity)
  const parts: Array<Part> = []
  for (const share of shares) {
    const { openedBy, strategy } = share
    const held = BigDecimal.abs(decimal(share.quantity))
    if (left === null) parts.push({ strategy, held, wanted: null, openedBy })
    else if (BigDecimal.isGreaterThan(left, zero)) {
      const wanted = BigDecimal.min(left, held)
      left = BigDecimal.subtract(left, wanted)
      parts.push({ strategy, held, wanted, openedBy })
    }
  }
  return parts
}

/** What a command made, and what it found to do the same. */
const madeBy = (sql: SqlClient, commandId: string) =>
  sql<StoredOrder>`
    SELECT ${columnsOf(sql)} FROM orders
    WHERE command_id = ${commandId}::uuid
      OR id IN (SELECT order_id FROM command_orders WHERE command_id = ${commandId}::uuid) ORDER BY seq`

/** A part of a position that is to be closed. */
interface Wanted {
  readonly position: HeldPosition
  readonly part: Part
}

const shareWith = (sql: SqlClient, commandId: string, orders: ReadonlyArray<StoredOrder>) =>
  sql`INSERT INTO command_orders (command_id, order_id)
    SELECT ${commandId}::uuid, id FROM unnest(${orders.map(({ id }) => id)}::uuid[]) AS id ON CONFLICT DO NOTHING`

const sideOf = ({ quantity }: HeldPosition): "buy" | "sell" => (quantity.startsWith("-") ? "buy" : "sell")

/**
 * The operator's closes of these positions that were not sent yet, oldest first. Locked, so that one which somebody is taking
 * back at this moment is seen as it will be. The executor withdraws a close under the lock of its position, which our caller holds.
 */
const waitingCloses = (sql: SqlClient, account: string, positions: ReadonlyArray<HeldPosition>) =>
  sql<StoredOrder>`
    SELECT ${columnsOf(sql)} FROM orders
    WHERE account = ${account} AND symbol = ANY (${positions.map(({ symbol }) => symbol)}::text[])
      AND intent = 'reduce' AND exit_kind = ${OPERATOR_CLOSE} AND status IN ('intended', 'held')
    ORDER BY seq FOR UPDATE`

/** Whether a close of the share that waits does at least what is wanted. */
const covers = (order: StoredOrder, { part, position }: Wanted): boolean =>
  order.symbol === position.symbol &&
  order.strategy === part.strategy &&
  order.side === sideOf(position) &&
  (order.sizing === "share" ||
    (part.wanted !== null &&
      order.wanted !== null &&
      BigDecimal.isGreaterThanOrEqualTo(decimal(order.wanted), part.wanted)))

/** One statement however many there are; returns them in the order given. */
const insertCloses = (sql: SqlClient, origin: CloseOrigin, closes: ReadonlyArray<Wanted>) =>
  Effect.gen(function* () {
    if (closes.length === 0) return []
    const rows = closes.map(({ part, position }, n) => {
      const { entryId, strategy } = part
      const key = {
        commandId: origin.commandId,
        positionId: position.id,
        strategy,
        ...(entryId === undefined ? {} : { entryId })
      }
      const wanted = part.wanted === null ? null : formatDecimal(part.wanted)
      return {
        n,
        id: closeOrderId(key),
        client_order_id: closeClientOrderId(key, 1),
        account: position.account,
        strategy,
        sizing: wanted === null ? "share" : "fixed",
        wanted,
        symbol: position.symbol,
        side: sideOf(position),
        quantity: wanted ?? formatDecimal(part.held),
        venue: position.venue,
        opened_by: part.openedBy
      }
    })
    const made = yield* sql<StoredOrder>`
      WITH given AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS g (n integer, id uuid, client_order_id text,
          account text, strategy text, sizing text, wanted numeric, symbol text, side text, quantity numeric, venue text,
          opened_by uuid)
      ), made AS (
        INSERT INTO orders (id, client_order_id, account, strategy, intent, sizing, wanted, symbol, side, type, quantity,
          time_in_force, status, source, venue, exit_kind, command_id, opened_by)
        SELECT id, client_order_id, account, strategy, 'reduce', sizing, wanted, symbol, side, 'market', quantity, 'day',
          'intended', ${origin.source}, venue, ${OPERATOR_CLOSE}, ${origin.commandId}::uuid, opened_by FROM given ORDER BY n
        RETURNING *
      ), logged AS (
        INSERT INTO order_events (order_id, event, from_status, to_status, detail)
        SELECT id, ${FIRST_EVENT}, 'intended', 'intended',
          ${JSON.stringify({ by: "operator", commandId: origin.commandId })}::text::jsonb FROM made ORDER BY seq
      )
      SELECT ${columnsOf(sql)} FROM made`
    const byId = new Map(made.map((order) => [order.id, order]))
    return rows.flatMap(({ id }) => byId.get(id) ?? [])
  })

/** The closes of locked positions of one account: those that wait already for the same, and new ones. */
const closeLocked = (
  sql: SqlClient,
  origin: CloseOrigin,
  account: string,
  positions: ReadonlyArray<HeldPosition>,
  quantity: string | null
) =>
  Effect.gen(function* () {
    if (positions.length === 0) return []
    const shares = yield* sql<Share & { readonly positionId: string }>`
      SELECT position_id AS "positionId", strategy, trim_scale(quantity)::text AS quantity,
        opened_by AS "openedBy" FROM position_shares
      WHERE position_id = ANY (${positions.map(({ id }) => id)}::uuid[]) AND quantity <> 0 ORDER BY opened_seq, strategy`
    const waiting = yield* waitingCloses(sql, account, positions)
    const sharesOf = Map.groupBy(shares, ({ positionId: of }) => of)
    const waitingOf = Map.groupBy(waiting, ({ symbol }) => symbol)
    const wanted = positions.flatMap((position) =>
      partsOf(sharesOf.get(position.id) ?? [], quantity).map((part): Wanted => ({ position, part }))
    )
    const found = wanted.map((one) =>
      (waitingOf.get(one.position.symbol) ?? []).find((order) => covers(order, one))
    )
    const made = yield* insertCloses(
      sql,
      origin,
      wanted.filter((_, n) => found[n] === undefined)
    )
    yield* shareWith(
      sql,
      origin.commandId,
      found.flatMap((order) => order ?? [])
    )
    let next = 0
    return found.flatMap((order) => order ?? made[next++] ?? [])
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
    const orders = yield* closeLocked(sql, request, account, [position], request.quantity)
    return { _tag: "Closing", account, orders } satisfies Closed
  })

const openEntries = (sql: SqlClient, account: string) =>
  sql.and([sql`account = ${account}`, sql`intent = 'entry'`, sql.in("status", [...OPEN])])

/** Entries that are not over, as they are once they are locked: taken back or cancelled, and those that nobody can cancel now. */
const cancelEntries = (sql: SqlClient, account: string, reason: string) =>
  Effect.gen(function* () {
    const entries = yield* sql<StoredOrder>`
      SELECT ${columnsOf(sql)} FROM orders WHERE ${openEntries(sql, account)} ORDER BY seq FOR UPDATE`
    const steps = entries.map((order) => ({ order, event: cancelStep(order.status) }))
    const moved = yield* stepAllLocked(
      sql,
      account,
      steps.flatMap(({ event, order }) =>
        event === "done" || event === "refused" ? [] : [{ order, event }]
      ),
      reason
    )
    const byId = new Map(moved.map((order) => [order.id, order]))
    return {
      entries,
      orders: steps.flatMap(({ event, order }) => (event === "refused" ? [] : [byId.get(order.id) ?? order])),
      unresolved: steps.flatMap(({ event, order }) => (event === "refused" ? [order.id] : []))
    }
  })

/**
 * The close of what an entry may still bring: it was sent, and a cancel is a wish. The close waits for the entry's end
 * (`opening_works`) and is withdrawn when nothing came of it.
 */
const closeAfter = ({
  account,
  id,
  quantity,
  side,
  signalId,
  strategy,
  symbol,
  venue
}: StoredOrder): Wanted => ({
  // The sign that its fills would give a flat position.
  position: {
    id: positionId(account, symbol),
    account,
    symbol,
    venue,
    quantity: side === "buy" ? quantity : `-${quantity}`
  },
  part: { strategy, held: decimal(quantity), wanted: null, openedBy: signalId, entryId: id }
})

export const flattenIn = (sql: SqlClient, account: string, origin: CloseOrigin, reason: string) =>
  Effect.gen(function* () {
    const [known] = yield* sql`SELECT id FROM accounts WHERE id = ${account}`
    if (known === undefined) return { _tag: "Missing" } as const
    // Before the locks: one that ends until they are held has its position there, or its own close below.
    const begun =
      yield* sql<StoredOrder>`SELECT ${columnsOf(sql)} FROM orders WHERE ${openEntries(sql, account)} ORDER BY seq`
    // In one order for everybody, as a confirmation locks them.
    const positions = yield* sql<HeldPosition>`
      SELECT p.id, p.account, p.symbol, a.venue, trim_scale(p.quantity)::text AS quantity
      FROM positions p JOIN accounts a ON a.id = p.account
      WHERE p.account = ${account} ORDER BY p.id FOR UPDATE OF p`
    const { entries, orders, unresolved } = yield* cancelEntries(sql, account, reason)
    // Opened while the locks were waited for. Not locked, since fills lock a position before its order; its close follows
    // what is held when it leaves.
    const opened = yield* sql<HeldPosition>`
      SELECT p.id, p.account, p.symbol, a.venue, trim_scale(p.quantity)::text AS quantity
      FROM positions p JOIN accounts a ON a.id = p.account
      WHERE p.account = ${account} AND p.quantity <> 0 AND NOT (p.id = ANY (${positions.map(({ id }) => id)}::uuid[])) ORDER BY p.id`
    const before = yield* madeBy(sql, origin.commandId)
    const back = new Set(orders.filter(({ status }) => status === "withdrawn").map(({ id }) => id))
    // Those from before the locks, and those that were decided or sent while they were waited for.
    const mayFill = new Map([...begun, ...entries].map((order) => [order.id, order]))
    const closes =
      before.length > 0
        ? before
        : [
            ...(yield* closeLocked(
              sql,
              origin,
              account,
              [...positions.filter(({ quantity }) => quantity !== "0"), ...opened],
              null
            )),
            ...(yield* insertCloses(
              sql,
              origin,
              [...mayFill.values()].filter(({ id }) => !back.has(id)).map(closeAfter)
            ))
          ]
    return { _tag: "Flattened", orders: [...closes, ...orders], unresolved } satisfies Flattened
  })
