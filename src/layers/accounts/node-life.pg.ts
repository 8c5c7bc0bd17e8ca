/**
 * When a life has ended, as SQL: the one rule behind every takeover (T16).
 *
 * Accounts, waves and the statements that guard them all ask the same question about the life that a row names as
 * owner, and ask it here.
 *
 * Promises: a life is alive exactly while it is the life of its node and that node's lease runs, on the database's clock.
 * An owner that names a node and no life is from the previous version: it is judged by the row's own lease, not here.
 * Never: looks at processes; what a host proves reaches the rows through the node's lease, which the next life then has.
 * Failure: that of the statements these are parts of.
 */
import type { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

/** True while the life in the column `owner` is alive. */
export const lifeAlive = (sql: SqlClient, owner: string): Fragment => sql`EXISTS (
  SELECT FROM nodes WHERE nodes.life = ${sql.literal(owner)} AND nodes.lease_until > hf_clock())`

/** True when the column `owner` names a life and that life has ended. */
export const lifeOver = (sql: SqlClient, owner: string): Fragment => sql`(
  strpos(${sql.literal(owner)}, '/') > 0 AND NOT ${lifeAlive(sql, owner)})`

/**
 * True while the account row named `account` is under a live lease. `lease_until` alone decides for owners of the previous
 * version; a life has `infinity` there and is checked itself.
 */
export const accountLeased = (sql: SqlClient, account: string): Fragment => sql`(
  ${sql.literal(account)}.owner IS NOT NULL AND ${sql.literal(account)}.lease_until > hf_clock()
  AND NOT ${lifeOver(sql, `${account}.owner`)})`
