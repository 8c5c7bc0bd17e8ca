/**
 * The step to `submitting`: the last transaction before an order may reach a wire, and the choice of that order.
 *
 * Everything that must be true at the moment of sending is judged here: the status, the fence and the lease on the
 * database's clock by the statement, and by domain/orders/permit.ts whatever was judged when the order was decided. The rows
 * that this depends on are locked first, in the order in which fills lock them: what the permit is granted for cannot move
 * before the commit. Rejected: the rule again in SQL, which was a second copy next to the tested one.
 *
 * Promises: a row that this moved to `submitting` has sends + 1, sent_at, the fence of its sender and the quantity of its
 * permit; a limit of orders per minute holds for all accounts that share it, however many send at once; an order that is
 * refused for good ends in the transaction that judged it, so that nobody who locks the position afterwards counts on one that is
 * about to be withdrawn.
 * Never: sends; decides what becomes of an order that was sent before (see the resolver).
 * Failure: `DatabaseUnavailable`; when the response was lost the row may be `submitting` with nothing sent, which
 * is crash point K4 and resolved like it.
 */
import { Effect, Result } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { invariant } from "../../domain/kernel/invariant.ts"
import { APPROVAL } from "../../domain/orders/approval.ts"
import { BLOCKS_SYMBOL, nextStatus, type OrderEvent, type OrderStatus } from "../../domain/orders/order.ts"
import { OPERATOR_CLOSE, type Permit } from "../../domain/orders/permit.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import { type ContextTerms, readContext } from "./account-book.pg.ts"
import type { AccountGrant } from "../accounts/accounts-store.port.ts"
import type { DatabaseService } from "../database/database.port.ts"
import { givenUp, superseded } from "./order-resting.pg.ts"
import { columnsOf } from "./order-row.pg.ts"
import type {
  Judge,
  LookFor,
  OrdersStoreService,
  OrderWork,
  StoredOrder,
  Submitted,
  SubmitRefusal
} from "./orders-store.port.ts"
import { accountLeased } from "../accounts/node-life.pg.ts"

/** Too old to be sent, even when it was sent before: a market order that is hours late is a wrong order (T5). */
const stale = (sql: SqlClient): Fragment => sql`coalesce(o.valid_until <= hf_clock(), false)`

/**
 * The choice costs one walk over what waits, whatever else there is: what blocks, what is shut and what is enabled is
 * read once (hashed subplans and one materialized list), because a burst that waits must not slow down the cancel
 * or the exit that overtakes it.
 */
const choice = (
  sql: SqlClient,
  account: string,
  { passOver = [], reducesOnly = false, closed = false }: LookFor,
  terms: ContextTerms
): Fragment => sql`
  WITH shut AS MATERIALIZED (
    SELECT scope, state FROM trading_state
    WHERE state <> 'ACTIVE' AND (scope IN ('global', ${`account:${account}`}) OR scope LIKE 'strategy:%')
  ), blocking AS MATERIALIZED (
    SELECT DISTINCT symbol, side FROM orders
    WHERE account = ${account} AND ${sql.in("status", [...BLOCKS_SYMBOL])}
  ), waiting AS MATERIALIZED (
    SELECT o.id, o.seq, o.status, o.intent, o.symbol, o.side, ${stale(sql)} AS stale,
      o.intent = 'reduce' AND ${closed}::boolean AS waits,
      NOT EXISTS (SELECT FROM shut s
        WHERE s.scope IN ('global', 'account:' || o.account, 'strategy:' || o.strategy)
          AND (o.intent = 'entry' OR (s.state = 'HALTED' AND o.exit_kind IS DISTINCT FROM ${OPERATOR_CLOSE})))
      AND (o.intent = 'reduce' OR coalesce((SELECT enabled FROM accounts WHERE id = ${account}), false))
      AND (p.order_id IS NULL OR coalesce(p.decision = 'approved', false)) AS let_out,
      p.order_id IS NOT NULL AND p.decision IS NULL AND p.deadline <= hf_clock() AS lapsed
    FROM orders o LEFT JOIN approvals p ON p.order_id = o.id AND o.status = 'held'
    WHERE o.account = ${account} AND o.status IN ('pending_cancel', 'held', 'intended')
      AND (NOT ${reducesOnly}::boolean OR o.intent = 'reduce' OR o.status = 'pending_cancel' OR ${stale(sql)}
        OR (p.decision IS NULL AND p.deadline <= hf_clock()))
  ), judged AS (
    -- Nothing that blocks it is unresolved: for an entry its symbol, for a reduce its symbol and side.
    SELECT waiting.*, let_out AND CASE intent
      WHEN 'entry' THEN symbol NOT IN (SELECT symbol FROM blocking)
      ELSE (symbol, side) NOT IN (SELECT symbol, side FROM blocking) END AS free, NULL AS gone
    FROM waiting
    UNION ALL
    SELECT id, seq, status, intent, symbol, side, false, false, true, false, true, gone FROM (${givenUp(sql, sql`o.account = ${account}`, terms)}) AS resting
  )
  SELECT w.id, w.free, w.gone, CASE
      WHEN w.gone IS NOT NULL THEN 'give_up'
      WHEN w.status = 'pending_cancel' THEN 'cancel'
      WHEN w.stale THEN 'expire'
      WHEN w.lapsed THEN 'lapse'
      WHEN w.status = 'held' THEN 'release'
      WHEN w.waits THEN 'hold'
      ELSE 'send' END AS work
  FROM judged w
  WHERE NOT (w.id = ANY(${[...passOver]}::uuid[])) AND CASE w.status
    WHEN 'pending_cancel' THEN true
    WHEN 'acked' THEN true
    WHEN 'partially_filled' THEN true
    -- What is stale is handed out whatever blocks it: it is about to expire, not to be sent.
    -- Whether its own market is open is the caller's to know: the settings say by which calendar a symbol trades.
    WHEN 'held' THEN w.stale OR w.lapsed OR w.let_out
    ELSE w.stale OR w.waits OR w.free END
  ORDER BY w.status = 'pending_cancel' DESC, w.gone IS NOT NULL DESC, w.intent = 'reduce' DESC, w.status = 'held' DESC, w.seq
  LIMIT 1`

export const nextWork =
  (database: DatabaseService, terms: ContextTerms): OrdersStoreService["next"] =>
  (account, lookFor = {}) =>
    database
      .run(
        "orders.next",
        (sql) => sql<StoredOrder & Omit<OrderWork, "order">>`
          SELECT ${columnsOf(sql)}, work, free, gone FROM (${choice(sql, account, lookFor, terms)}) chosen JOIN orders USING (id)`
      )
      .pipe(
        Effect.map(([row]): OrderWork | null => {
          if (row === undefined) return null
          const { free, gone, work, ...order } = row
          return { order, work, free, gone }
        }),
        Effect.catchTag("DatabaseFault", Effect.die)
      )

/** One statement's worth of stale orders: a burst of thousands expires in a few steps. */
const EXPIRED_MAX = 256

export const expireStale =
  (database: DatabaseService): OrdersStoreService["expireStale"] =>
  (grant, alertOf) =>
    database
      .transact("orders.expire_stale", (sql) =>
        Effect.gen(function* () {
          const expired = yield* sql<StoredOrder>`
            WITH own AS (
              SELECT id FROM accounts
              WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
              FOR SHARE
            ), due AS MATERIALIZED (
              SELECT o.id, o.status FROM orders o
              WHERE o.account = ${grant.account} AND o.status IN ('intended', 'held') AND ${stale(sql)}
              ORDER BY o.seq LIMIT ${EXPIRED_MAX}
            ), moved AS (
              UPDATE orders SET status = 'expired_unsent', updated_at = hf_clock(),
                reason = coalesce('held too long: ' || CASE due.status WHEN 'held' THEN orders.reason END,
                  'stale: valid_until has passed')
              FROM own, due
              WHERE orders.id = due.id AND orders.account = own.id AND orders.status = due.status
              RETURNING orders.*, due.status AS from_status
            ), logged AS (
              INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
              SELECT id, 'order.expired_unsent', from_status, 'expired_unsent', ${grant.fence},
                jsonb_build_object('reason', reason) FROM moved
            )
            SELECT ${columnsOf(sql)} FROM moved ORDER BY seq`
          if (expired.length > 0) {
            yield* storeAlertsIn(sql, [alertOf(expired)])
            return expired
          }
          const own = yield* sql`
            SELECT id FROM accounts
            WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}`
          return own.length === 1 ? expired : null
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))

/** It is not sent whatever its status says: what nobody approved never leaves. */
const unasked: Extract<Permit, { readonly _tag: "Hold" }> = { _tag: "Hold", code: APPROVAL, numbers: {} }

type Ending = Extract<Permit, { readonly _tag: "Withdraw" | "Deny" }>

/** Another account is about to send under a limit that both share; the executor tries again after its poll interval. */
const RATE_BUSY = "orders_per_minute_busy"
const RATE_TRIES = 5
const RATE_PAUSE_MS = 10

interface Standing {
  readonly status: OrderStatus
  readonly stale: boolean
  readonly superseded: boolean
  readonly openingOver: boolean
  readonly givenPrice: string | null
}

interface LockedRow extends Standing {
  /** A human is asked first, and has not approved it. */
  readonly unapproved: boolean
  readonly owned: boolean
  readonly leased: boolean
}

/**
 * What an order `o` is judged by besides the book.
 */
const standing = (sql: SqlClient): Fragment => sql`o.status, ${stale(sql)} AS stale,
        ${superseded(sql)} AS superseded,
        o.position_id IS NOT NULL AND (NOT EXISTS (SELECT FROM positions p
          WHERE p.id = o.position_id AND p.epoch = o.position_epoch)
          OR (o.compensates IS NOT NULL AND NOT EXISTS (SELECT FROM orders e JOIN position_shares h
            ON h.position_id = o.position_id AND h.strategy = o.strategy AND h.opened_seq = e.opened_seq
              AND h.quantity <> 0 -- What is closed keeps its row, and the number of its opening.
            WHERE e.id = o.compensates))) AS "openingOver",
        -- For an option the alert gives the price of its underlying.
        (SELECT trim_scale(s.price)::text FROM signals s JOIN enriched_signals e ON e.signal_id = s.id
          WHERE s.id = o.signal_id AND e.symbol = o.symbol) AS "givenPrice"`

/**
 * Takes the position's row, so that no fill moves it, then the order's. The account's row is taken only by the statement
 * that writes: a takeover need not wait for a process that froze in between.
 */
const lock = (sql: SqlClient, grant: AccountGrant, order: StoredOrder) =>
  Effect.gen(function* () {
    yield* sql`SELECT id FROM positions WHERE account = ${order.account} AND symbol = ${order.symbol} FOR UPDATE`
    const [row] = yield* sql<LockedRow>`
      SELECT ${standing(sql)},
        o.intent = 'entry' AND EXISTS (SELECT FROM approvals p
          WHERE p.order_id = o.id AND p.decision IS DISTINCT FROM 'approved') AS unapproved,
        a.fence = ${grant.fence} AND a.owner IS NOT DISTINCT FROM ${grant.owner} AS owned,
        ${accountLeased(sql, "a")} AS leased
      FROM orders o JOIN accounts a ON a.id = o.account
      WHERE o.id = ${order.id} AND o.account = ${grant.account} FOR UPDATE OF o`
    return row
  })

/** The guarded statement. No row: the lease expired, or the fence rose, since it was checked. */
const move = (
  sql: SqlClient,
  grant: AccountGrant,
  order: StoredOrder,
  event: OrderEvent,
  permit: Extract<Permit, { readonly _tag: "Send" }>
) =>
  sql<StoredOrder>`
    WITH own AS (
      SELECT id FROM accounts
      WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
        AND ${accountLeased(sql, "accounts")}
      FOR SHARE
    ), moved AS (
      UPDATE orders AS o SET
        status = 'submitting',
        quantity = ${permit.quantity}::numeric,
        expires_at = to_timestamp(${permit.expiresAtMs}::float8 / 1000),
        sends = o.sends + 1,
        sent_at = hf_clock(),
        fence = ${grant.fence},
        reason = NULL,
        updated_at = hf_clock()
      FROM own
      WHERE o.id = ${order.id} AND o.account = own.id AND o.status = ${order.status}
      RETURNING o.*
    ), logged AS (
      INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
      SELECT id, ${event}, ${order.status}, 'submitting', ${grant.fence},
        ${JSON.stringify(permit.numbers)}::text::jsonb || jsonb_build_object('send', sends) FROM moved
    )
    SELECT ${columnsOf(sql)} FROM moved`

/** Ends an order that was never sent and whose permit is refused for good. No row: the fence rose. */
const endRefused = (sql: SqlClient, grant: AccountGrant, order: StoredOrder, permit: Ending) =>
  Effect.gen(function* () {
    const event: OrderEvent = permit._tag === "Withdraw" ? "order.withdrawn" : "order.denied"
    const next = nextStatus(order.status, event)
    invariant(Result.isSuccess(next), "what was not sent may end", { order: order.id, event })
    const [moved] = yield* sql<StoredOrder>`
      WITH own AS (
        SELECT id FROM accounts
        WHERE id = ${grant.account} AND owner = ${grant.owner} AND fence = ${grant.fence}
        FOR SHARE
      ), moved AS (
        UPDATE orders AS o SET status = ${next.success}, reason = ${permit.code}, updated_at = hf_clock()
        FROM own
        WHERE o.id = ${order.id} AND o.account = own.id AND o.status = ${order.status}
        RETURNING o.*
      ), logged AS (
        INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
        SELECT id, ${event}, ${order.status}, ${next.success}, ${grant.fence},
          ${JSON.stringify({ ...permit.numbers, reason: permit.code })}::text::jsonb FROM moved
      )
      SELECT ${columnsOf(sql)} FROM moved`
    return moved
  })

/** The order as it is now, with the book it is judged against. */
const judged = (sql: SqlClient, terms: ContextTerms, order: StoredOrder, row: Standing, judge: Judge) =>
  Effect.gen(function* () {
    const { accounts, breakers, nowMs, rates, stages, trading } = yield* readContext(
      sql,
      terms,
      [order.account],
      [],
      order.id
    )
    const account = accounts.get(order.account)
    invariant(account !== undefined, "an account of an order exists", { account: order.account })
    const { givenPrice, openingOver, stale: isStale, superseded } = row
    return judge(order, {
      nowMs,
      trading,
      account,
      stale: isStale,
      superseded,
      openingOver,
      givenPrice,
      rates,
      breakers,
      stages
    })
  })

/** The permit of an order that the caller has locked, with its position: what would become of it if it were sent now. */
export const judgeLocked = (sql: SqlClient, terms: ContextTerms, order: StoredOrder, judge: Judge) =>
  Effect.gen(function* () {
    const [row] = yield* sql<Standing>`SELECT ${standing(sql)} FROM orders o WHERE o.id = ${order.id}`
    invariant(row !== undefined, "an order that is locked exists", { order: order.id })
    return yield* judged(sql, terms, order, row, judge)
  })

/**
 * Takes the turn of entries whose accounts share a limit of orders per minute: each is counted only when the one before it is
 * committed or given up. Advisory, because most scopes have no row; in one order for everybody. The server never waits for it:
 * a process that froze with the turn would keep a connection, a position and the turn of its account from every
 * other account that wants it. A turn that nobody freezes with ends within the tries. Null: all are taken; else the scope
 * whose turn another has.
 */
const takeRates = (sql: SqlClient, scopes: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    for (const scope of scopes) {
      for (let tries = 1; ; tries += 1) {
        const [row] = yield* sql<{ readonly taken: boolean }>`
          SELECT pg_try_advisory_xact_lock(hashtextextended(${`rate:${scope}`}, 0)) AS taken`
        if (row?.taken === true) break
        if (tries >= RATE_TRIES) return scope
        yield* Effect.sleep(RATE_PAUSE_MS)
      }
    }
    return null
  })

export const submit =
  (database: DatabaseService, terms: ContextTerms): OrdersStoreService["submit"] =>
  (grant, order, judge) =>
    database
      .transact("orders.submit", (sql) =>
        Effect.gen(function* () {
          const event: OrderEvent = order.status === "intended" ? "order.submitted" : "order.resubmitted"
          const legal = nextStatus(order.status, event)
          invariant(legal._tag === "Success", "only an intended or a resolving order is submitted", {
            order: order.id,
            status: order.status
          })
          const refused = (why: SubmitRefusal): Submitted => ({ _tag: "NotSubmitted", why })
          const row = yield* lock(sql, grant, order)
          if (row === undefined || !row.owned) return refused("stale_fence")
          if (!row.leased) return refused("lease_over")
          if (row.status !== order.status) return refused("status_changed")
          if (row.unapproved)
            return { _tag: "NotPermitted", permit: unasked, ended: null } satisfies Submitted
          let permit = yield* judged(sql, terms, order, row, judge)
          const scopes = order.intent === "entry" ? terms.sharedRates(order.strategy) : []
          // Only what would be sent takes a turn: an entry over the limit is deferred without a lock.
          if (permit._tag === "Send" && scopes.length > 0) {
            const busy = yield* takeRates(sql, scopes)
            permit =
              busy === null
                ? yield* judged(sql, terms, order, row, judge)
                : { _tag: "Wait", code: RATE_BUSY, numbers: { scope: busy } }
          }
          if (permit._tag === "Withdraw" || permit._tag === "Deny") {
            if (order.status !== "intended")
              return { _tag: "NotPermitted", permit, ended: null } satisfies Submitted
            const ended = yield* endRefused(sql, grant, order, permit)
            return ended === undefined
              ? refused("stale_fence")
              : ({ _tag: "NotPermitted", permit, ended } satisfies Submitted)
          }
          if (permit._tag !== "Send") return { _tag: "NotPermitted", permit, ended: null } satisfies Submitted
          const [moved] = yield* move(sql, grant, order, event, permit)
          if (moved === undefined) return refused("lease_over")
          return { _tag: "Submitting", order: moved } satisfies Submitted
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
