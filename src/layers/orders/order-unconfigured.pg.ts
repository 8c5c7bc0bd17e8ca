/**
 * Waiting entries that nobody will send: their strategy or their account is no longer in the settings.
 *
 * What waits at an account is ended by its executor, and an account that was removed has none, so its entries would wait for good and
 * go out late when it comes back. An entry whose strategy was removed while something held it would wait for nothing. Neither
 * needs a fence: as with an operator's cancel, whoever sends at the same time holds the row and sees its status afterwards.
 *
 * Promises: an entry of a removed account ends when its time is over, because another process may still have the account; one of a
 * removed strategy at once, at the accounts of the life that asks; each with its event, and the alert in the same transaction.
 * Never: ends a close or an exit, anything that was sent, or what waits at an account that another living process executes.
 * Failure: `DatabaseUnavailable`; the next look ends what is left. A fault is a bug and dies.
 */
import { Effect } from "effect"
import { CANARY } from "../../domain/kernel/canary.ts"
import { storeAlertsIn } from "../alerts/alerts-store.pg.ts"
import { accountLeased } from "../accounts/node-life.pg.ts"
import type { DatabaseService } from "../database/database.port.ts"
import type { ContextTerms } from "./account-book.pg.ts"
import { columnsOf } from "./order-row.pg.ts"
import type { OrdersStoreService, StoredOrder } from "./orders-store.port.ts"

/** One statement's worth; the next look continues. */
const ENDED_MAX = 256

export const endUnconfigured =
  (database: DatabaseService, terms: ContextTerms): OrdersStoreService["endUnconfigured"] =>
  (life, alertOf) =>
    database
      .transact("orders.end_unconfigured", (sql) =>
        Effect.gen(function* () {
          const accounts = [...terms.accounts()]
          const ended = yield* sql<StoredOrder>`
            WITH due AS MATERIALIZED (
              SELECT o.id, o.status, a.fence AS account_fence,
                CASE WHEN o.account = ANY (${accounts}::text[]) THEN 'denied' ELSE 'expired_unsent' END AS becomes,
                CASE WHEN o.account = ANY (${accounts}::text[]) THEN 'strategy_removed' ELSE 'account_removed' END AS why
              FROM orders o JOIN accounts a ON a.id = o.account
              WHERE o.status IN ('intended', 'held') AND o.intent = 'entry' AND o.account <> ${CANARY}
                AND CASE WHEN o.account = ANY (${accounts}::text[])
                  THEN o.strategy <> ALL (${[...terms.strategies()]}::text[]) AND a.owner IS NOT DISTINCT FROM ${life}
                  ELSE o.valid_until <= hf_clock() AND NOT ${accountLeased(sql, "a")} END
              ORDER BY o.seq LIMIT ${ENDED_MAX} FOR UPDATE OF o
            ), moved AS (
              UPDATE orders SET status = due.becomes, reason = due.why, updated_at = hf_clock()
              FROM due WHERE orders.id = due.id AND orders.status = due.status
              RETURNING orders.*, due.status AS from_status, due.account_fence
            ), logged AS (
              INSERT INTO order_events (order_id, event, from_status, to_status, fence, detail)
              SELECT id, 'order.' || status, from_status, status, account_fence, jsonb_build_object('reason', reason) FROM moved
            )
            SELECT ${columnsOf(sql)} FROM moved ORDER BY seq`
          if (ended.length > 0) yield* storeAlertsIn(sql, [alertOf(ended)])
          return ended
        })
      )
      .pipe(Effect.catchTag("DatabaseFault", Effect.die))
